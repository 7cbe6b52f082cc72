"""The part of record.py that is about Nexus operations. What the lines mean stands in `../scenarios.rs`."""

import asyncio
import math
import re
import uuid
from datetime import timedelta

import temporalio.api.common.v1 as common
import temporalio.api.enums.v1 as enums
import temporalio.api.failure.v1 as failure_v1
import temporalio.api.nexus.v1 as nexus_v1
import temporalio.api.operatorservice.v1 as operator
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as service

from values import (
    LATENESS,
    Words,
    camel_case,
    duration,
    enum_name,
    failure,
    id_of,
    payload,
    payload_text,
    upper_case,
)

# Command verbs and the Commands that they are.
COMMANDS = {"nexus": "schedule-nexus-operation", "cancel-nexus": "request-cancel-nexus-operation"}

FIELDS = {
    "NexusOperationScheduled": "completed:workflow_task_completed_event_id endpoint:endpoint service:service"
    " operation:operation input:input schedule-to-close:schedule_to_close_timeout"
    " schedule-to-start:schedule_to_start_timeout start-to-close:start_to_close_timeout header:nexus_header",
    "NexusOperationStarted": "scheduled:scheduled_event_id id:operation_id token:operation_token",
    "NexusOperationCompleted": "scheduled:scheduled_event_id result:result",
    "NexusOperationFailed": "scheduled:scheduled_event_id failure:failure",
    "NexusOperationCanceled": "scheduled:scheduled_event_id failure:failure",
    "NexusOperationTimedOut": "scheduled:scheduled_event_id failure:failure",
    "NexusOperationCancelRequested": "completed:workflow_task_completed_event_id scheduled:scheduled_event_id",
    "NexusOperationCancelRequestCompleted": "completed:workflow_task_completed_event_id"
    " scheduled:scheduled_event_id requested:requested_event_id",
    "NexusOperationCancelRequestFailed": "completed:workflow_task_completed_event_id"
    " scheduled:scheduled_event_id requested:requested_event_id failure:failure",
}


class NexusOperations:
    """What a conversation says and shows of Nexus operations."""

    # What a Nexus worker does, and the operator who creates its endpoint.

    async def do_endpoint(self, words):
        worker = nexus_v1.EndpointTarget.Worker(namespace=self.namespace, task_queue=self.nexus)
        spec = nexus_v1.EndpointSpec(name=self.endpoint, target=nexus_v1.EndpointTarget(worker=worker))
        created = await self.operator.create_nexus_endpoint(operator.CreateNexusEndpointRequest(spec=spec))
        self.created = created.endpoint
        if "unpolled" not in words.plain:
            self.start_nexus_pollers()
        # Until all parts of the server have heard of it.
        await asyncio.sleep(1)

    async def do_delete_endpoint(self, _):
        request = operator.DeleteNexusEndpointRequest(id=self.created.id, version=self.created.version)
        await self.operator.delete_nexus_endpoint(request)
        await asyncio.sleep(1)

    async def do_poll_nexus(self, words):
        wanted = words.first()
        self.start_nexus_pollers()
        try:
            async with asyncio.timeout(30 if wanted else 3):
                while wanted not in self.nexus_fetched:
                    self.nexus_came.clear()
                    await self.nexus_came.wait()
        except TimeoutError:
            return ["nothing"]
        task = self.nexus_tasks[words.get("as", wanted)] = self.nexus_fetched.pop(wanted)
        if task.request.HasField("start_operation"):
            self.callbacks[wanted] = task.request.start_operation
        return [nexus_text(task)]

    def start_nexus_pollers(self):
        """Some for each partition of the Task Queue: between partitions a task may come too late."""
        self.nexus_pollers = self.nexus_pollers or [asyncio.ensure_future(self.poll_nexus()) for _ in range(5)]

    async def poll_nexus(self):
        request = service.PollNexusTaskQueueRequest(
            namespace=self.namespace, identity="nexus-worker", task_queue=taskqueue.TaskQueue(name=self.nexus)
        )
        while True:
            task = await self.rpc.poll_nexus_task_queue(request, timeout=timedelta(seconds=70))
            # Where no time is left for the answer, there will be another attempt.
            if task.task_token and not re.fullmatch(r"[\d.]+[mµn]s", task.request.header["request-timeout"]):
                self.nexus_fetched[getattr(task.request, task.request.WhichOneof("variant")).operation] = task
                self.nexus_came.set()

    async def answer_nexus(self, words, response):
        await self.rpc.respond_nexus_task_completed(
            service.RespondNexusTaskCompletedRequest(
                namespace=self.namespace,
                identity="nexus-worker",
                task_token=self.nexus_tasks[words.first()].task_token,
                response=response,
            )
        )
        await asyncio.sleep(LATENESS)

    async def do_nexus_started(self, words):
        started = nexus_v1.StartOperationResponse.Async(operation_token=words.get("token", "tok"))
        await self.answer_nexus(words, start_response(async_success=started))

    async def do_nexus_result(self, words):
        result = nexus_v1.StartOperationResponse.Sync(payload=None if "none" in words.plain else payload("r"))
        await self.answer_nexus(words, start_response(sync_success=result))

    async def do_nexus_failed(self, words):
        if "old" in words.plain:
            error = nexus_v1.UnsuccessfulOperationError(
                operation_state=words.get("state", "failed"), failure=nexus_v1.Failure(message="oops")
            )
            return await self.answer_nexus(words, start_response(operation_error=error))
        await self.answer_nexus(words, start_response(failure=nexus_failure(words)))

    async def do_nexus_cancel_taken(self, words):
        await self.answer_nexus(words, nexus_v1.Response(cancel_operation=nexus_v1.CancelOperationResponse()))

    async def do_nexus_error(self, words):
        behavior = "NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_" + upper_case(words.get("retry", "unspecified"))
        behavior = enums.NexusHandlerErrorRetryBehavior.Value(behavior)
        kind = upper_case(words.get("type", "internal"))
        request = service.RespondNexusTaskFailedRequest(
            namespace=self.namespace, identity="nexus-worker", task_token=self.nexus_tasks[words.first()].task_token
        )
        if "old" in words.plain:
            error = nexus_v1.HandlerError(error_type=kind, retry_behavior=behavior, failure=nexus_v1.Failure(message="oops"))
            request.error.CopyFrom(error)
        elif "application" in words.plain:
            request.failure.CopyFrom(failure("oops"))
        else:
            info = failure_v1.NexusHandlerFailureInfo(type=kind, retry_behavior=behavior)
            request.failure.CopyFrom(failure_v1.Failure(message="bad", nexus_handler_failure_info=info))
            if "cause" in words.plain:
                request.failure.cause.CopyFrom(failure("oops"))
        await self.rpc.respond_nexus_task_failed(request)
        await asyncio.sleep(LATENESS)

    async def do_nexus_callback(self, words):
        """A workflow that was started for the operation ends, and the server calls back."""
        started = self.callbacks[words.first()]
        workflow_id, queue = self.workflow_id + words.first(), taskqueue.TaskQueue(name="b" + self.nexus)
        callback = common.Callback.Nexus(url=started.callback, header=started.callback_header)
        request = service.StartWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_id=workflow_id,
            workflow_type=common.WorkflowType(name="B"),
            task_queue=queue,
            request_id=str(uuid.uuid4()),
            completion_callbacks=[common.Callback(nexus=callback)],
        )
        end = (words.plain + ["completed"])[1]
        if end == "timed-out":
            request.workflow_run_timeout.CopyFrom(duration("1s"))
        await self.rpc.start_workflow_execution(request)
        if end == "terminated":
            execution = common.WorkflowExecution(workflow_id=workflow_id)
            await self.rpc.terminate_workflow_execution(
                service.TerminateWorkflowExecutionRequest(
                    namespace=self.namespace, workflow_execution=execution, reason="stop", identity="client"
                )
            )
        elif end == "timed-out":
            await asyncio.sleep(2)
        else:
            task = await self.poll(queue, 8)
            ends = {"completed": "done r", "failed": "fail oops", "canceled": "cancelled"}
            await self.rpc.respond_workflow_task_completed(
                service.RespondWorkflowTaskCompletedRequest(
                    namespace=self.namespace, task_token=task.task_token, commands=[self.command(Words(ends[end]))]
                )
            )
        await asyncio.sleep(LATENESS * 2)

    # Commands.

    def fill_nexus(self, attributes, words):
        attributes.endpoint = words.get("endpoint", self.endpoint)
        attributes.service, attributes.operation = words.get("service", "S"), id_of(words.first())
        if "input" in words.options:
            attributes.input.CopyFrom(payload(words.get("input")))
        words.set_durations(attributes, ("schedule-to-close", "schedule-to-start", "start-to-close"))
        if "header" in words.options:
            attributes.nexus_header[words.get("header")] = "h"


# What is shown.


def failure_text(failed):
    """All that says what kind of failure it is."""
    kind = failed.WhichOneof("failure_info")
    info = kind and getattr(failed, kind)
    text = (kind or "plain").removesuffix("_failure_info").replace("_", "-").replace("-execution", "")
    if kind == "nexus_operation_execution_failure_info":
        text += f" scheduled={info.scheduled_event_id} {info.endpoint}/{info.service}/{info.operation}"
        if info.operation_id or info.operation_token:
            text += f" id={info.operation_id} token={info.operation_token}"
    elif kind == "nexus_handler_failure_info":
        text += f" type={info.type}"
        if info.retry_behavior:
            text += " retry=" + camel_case(enum_name("NexusHandlerErrorRetryBehavior", info.retry_behavior))
    elif kind == "application_failure_info":
        text += f" type={info.type}" + (" non-retryable" if info.non_retryable else "")
    elif kind == "timeout_failure_info":
        text += " timeout=" + camel_case(enum_name("TimeoutType", info.timeout_type))
    if failed.source:
        text += f" source={failed.source}"
    text += f": {failed.message}"
    if failed.HasField("cause"):
        text += f" cause={failure_text(failed.cause)}"
    return f"({text})"


def nexus_text(task):
    """Of the header, what the workflow put there and how much time there is, about."""
    asked = getattr(task.request, task.request.WhichOneof("variant"))
    text = "nexus " + ("start" if task.request.HasField("start_operation") else "cancel")
    text += f" {asked.service}/{asked.operation}"
    if task.request.HasField("cancel_operation"):
        text += f" id={asked.operation_id} token={asked.operation_token}"
    elif asked.payload.data:
        text += " input=" + payload_text(asked.payload)
    header = {key.lower(): value for key, value in task.request.header.items()}
    if "k" in header:
        text += " header=k"
    if "operation-timeout" in header:
        parts = re.findall(r"([\d.]+)(ms|s|m)", header["operation-timeout"])
        seconds = sum(float(number) * {"ms": 0.001, "s": 1, "m": 60}[unit] for number, unit in parts)
        text += f" operation-timeout<={math.ceil(seconds / 10)}0s"
    return text


def nexus_failure(words):
    if "canceled" in words.plain:
        return failure_v1.Failure(message="bye", canceled_failure_info=failure_v1.CanceledFailureInfo())
    return failure("oops", "non-retryable" in words.plain)


def start_response(**variant):
    return nexus_v1.Response(start_operation=nexus_v1.StartOperationResponse(**variant))
