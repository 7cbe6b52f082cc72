"""Holds the conversations of scenarios/*.txt with a real Temporal Server.

    python record.py ADDRESS FILE...          writes down what the server answers
    python record.py --check ADDRESS FILE...  compares with what is written down; exit code 1 where it differs

Needs the package `temporalio`, whose generated messages and raw RPCs it uses, and on the server the search attribute
`ModelServerKeyword` of type Keyword (`temporal operator search-attribute create`). What the lines mean stands in
`../scenarios.rs`, which holds the same conversations with the model. Several scenarios of a file run at the same time.
"""

import asyncio
import difflib
import math
import os
import re
import sys
import uuid
from datetime import timedelta

import temporalio.api.command.v1 as command
import temporalio.api.common.v1 as common
import temporalio.api.enums.v1 as enums
import temporalio.api.failure.v1 as failure_v1
import temporalio.api.nexus.v1 as nexus
import temporalio.api.operatorservice.v1 as operator
import temporalio.api.query.v1 as query
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflow.v1 as workflow
import temporalio.api.workflowservice.v1 as service
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.client import Client
from temporalio.service import RPCError

NAMESPACE = "default"
# The server fires timers up to about this much late.
LATENESS = 0.35
AT_THE_SAME_TIME = 8


def main():
    arguments = sys.argv[1:]
    check = arguments[:1] == ["--check"]
    address, *files = arguments[1:] if check else arguments
    different = asyncio.run(run(address, files, check))
    sys.stdout.flush()
    # Polls that are still open would hold up an ordinary exit.
    os._exit(1 if different else 0)


async def run(address, files, check):
    different = False
    for file in files:
        with open(file) as opened:
            before = opened.read()
        first, *scenarios = re.split(r"(?m)^(?=## )", before)
        places = asyncio.Semaphore(AT_THE_SAME_TIME)
        recorded = first + "".join(await asyncio.gather(*[hold(address, places, scenario) for scenario in scenarios]))
        if check:
            diff = list(difflib.unified_diff(before.splitlines(), recorded.splitlines(), file, address, lineterm=""))
            different |= bool(diff)
            print("\n".join(diff) if diff else f"{file}: the same")
        else:
            with open(file, "w") as opened:
                opened.write(recorded)
    return different


async def hold(address, places, scenario):
    lines = []
    async with places:
        # Each has a connection of its own, for one does not carry the polls of all.
        conversation = Conversation(await Client.connect(address))
        for line in scenario.split("\n"):
            if line.startswith("  "):
                continue
            lines.append(line)
            if line and not line.startswith("#"):
                lines += ["  " + answer for answer in await conversation.ask(line)]
        for poller in conversation.nexus_pollers:
            poller.cancel()
    return "\n".join(lines)


class Words:
    def __init__(self, text):
        self.verb, *words = text.split()
        self.plain = [word for word in words if "=" not in word]
        self.options = dict(word.split("=", 1) for word in words if "=" in word)

    def first(self, default=""):
        return self.plain[0] if self.plain else default

    def get(self, key, default=""):
        return self.options.get(key, default)

    def set_durations(self, message, keys, prefix=""):
        for key in keys:
            if key in self.options:
                field = prefix + key.replace("-", "_")
                if not prefix:
                    field += "_timeout"
                getattr(message, field).CopyFrom(duration(self.options[key]))


class Conversation:
    """A client, a workflow worker and an activity worker, in one."""

    def __init__(self, client):
        self.rpc, self.operator = client.workflow_service, client.operator_service
        tag = uuid.uuid4().hex[:8]
        self.workflow_id, self.normal, self.sticky, self.activities = (f"{kind}-{tag}" for kind in "wnsa")
        self.endpoint, self.nexus = f"e-{tag}", f"x-{tag}"
        self.tasks, self.activity_tasks, self.fetched, self.queries, self.shown = {}, {}, {}, {}, {}
        self.nexus_tasks, self.nexus_fetched, self.callbacks = {}, {}, {}
        self.nexus_pollers, self.nexus_came = [], asyncio.Event()
        self.runs = []

    async def ask(self, line):
        head, _, commands = line.partition(":")
        words = Words(head)
        try:
            method = getattr(self, "do_" + words.verb.replace("-", "_"))
            answer = await (method(words, commands) if words.verb == "complete" else method(words))
        except RPCError as error:
            answer = [f"{error.status.name} {error.message}"]
        except KeyError as error:
            answer = [f"there is no {error}: it was not polled"]
        return [self.with_names(line) for line in answer or []]

    def with_names(self, line):
        names = [(self.workflow_id, "w"), (self.normal, "normal"), (self.sticky, "sticky"), (self.activities, "activities")]
        names += [(self.endpoint, "endpoint")]
        for actual, name in (*names, *((run, f"run-{index + 1}") for index, run in enumerate(self.runs))):
            line = line.replace(actual, name)
        return line

    def run(self, run_id):
        if run_id and run_id not in self.runs:
            self.runs.append(run_id)
        return run_id

    def execution(self, run_id=""):
        return common.WorkflowExecution(workflow_id=self.workflow_id, run_id=run_id)

    def normal_queue(self):
        return taskqueue.TaskQueue(name=self.normal, kind=enums.TaskQueueKind.TASK_QUEUE_KIND_NORMAL)

    def sticky_queue(self):
        kind = enums.TaskQueueKind.TASK_QUEUE_KIND_STICKY
        return taskqueue.TaskQueue(name=self.sticky, kind=kind, normal_name=self.normal)

    # What clients do.

    async def do_start(self, words):
        request = service.StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id=self.workflow_id,
            workflow_type=common.WorkflowType(name="W"),
            task_queue=self.normal_queue(),
            request_id=str(uuid.uuid4()),
            identity="client",
            input=payloads("in"),
        )
        words.set_durations(request, ("run-timeout", "execution-timeout", "task-timeout"), prefix="workflow_")
        if "attempts" in words.options:
            request.retry_policy.maximum_attempts = int(words.get("attempts"))
        if "initial" in words.options:
            request.retry_policy.initial_interval.CopyFrom(duration(words.get("initial")))
        if "delay" in words.options:
            request.workflow_start_delay.CopyFrom(duration(words.get("delay")))
        request.priority.priority_key = int(words.get("priority", "0"))
        policy = upper_case(words.get("policy", "unspecified"))
        request.workflow_id_reuse_policy = enums.WorkflowIdReusePolicy.Value("WORKFLOW_ID_REUSE_POLICY_" + policy)
        started = await self.rpc.start_workflow_execution(request)
        return [self.run(started.run_id)]

    async def do_signal(self, words):
        request_id = words.get("request") and words.get("request") + self.workflow_id
        await self.rpc.signal_workflow_execution(
            service.SignalWorkflowExecutionRequest(
                namespace=NAMESPACE,
                workflow_execution=self.execution(),
                signal_name=words.first(),
                input=payloads("s"),
                identity="client",
                request_id=request_id,
            )
        )

    async def do_cancel(self, _):
        await self.rpc.request_cancel_workflow_execution(
            service.RequestCancelWorkflowExecutionRequest(
                namespace=NAMESPACE,
                workflow_execution=self.execution(),
                reason="why",
                identity="client",
                request_id=str(uuid.uuid4()),
            )
        )

    async def do_terminate(self, _):
        await self.rpc.terminate_workflow_execution(
            service.TerminateWorkflowExecutionRequest(
                namespace=NAMESPACE, workflow_execution=self.execution(), reason="stop", identity="client"
            )
        )

    async def do_options(self, words):
        options = workflow.WorkflowExecutionOptions(priority=common.Priority(priority_key=int(words.get("priority"))))
        await self.rpc.update_workflow_execution_options(
            service.UpdateWorkflowExecutionOptionsRequest(
                namespace=NAMESPACE,
                workflow_execution=self.execution(),
                workflow_execution_options=options,
                update_mask=FieldMask(paths=["priority"]),
                identity="client",
            )
        )

    async def do_query(self, words):
        async def ask():
            request = service.QueryWorkflowRequest(
                namespace=NAMESPACE, execution=self.execution(), query=query.WorkflowQuery(query_type=words.first())
            )
            try:
                answer = await self.rpc.query_workflow(request, timeout=timedelta(seconds=20))
                return "answer " + payloads_text(answer.query_result)
            except RPCError as error:
                return f"{error.status.name} {error.message}"

        self.queries[words.first()] = asyncio.ensure_future(ask())
        # Until the server has it.
        await asyncio.sleep(0.3)

    async def do_await(self, words):
        return [await self.queries[words.first()]]

    async def do_history(self, words):
        run_id = self.runs[int(words.first().removeprefix("run-")) - 1] if words.plain else ""
        answer = await self.rpc.get_workflow_execution_history(
            service.GetWorkflowExecutionHistoryRequest(
                namespace=NAMESPACE, execution=self.execution(run_id), maximum_page_size=1000
            )
        )
        lines = [self.event_line(event) for event in answer.history.events]
        shown = self.shown.get(lines[0], [])
        self.shown[lines[0]] = lines
        known = 0
        while known < min(len(shown), len(lines)) and shown[known] == lines[known]:
            known += 1
        return lines[known:]

    async def do_advance(self, words):
        await asyncio.sleep(duration(words.first()).ToMilliseconds() / 1000 + LATENESS)

    # What a workflow worker does.

    async def do_sticky_worker(self, _):
        await self.poll(self.sticky_queue(), 3)

    async def do_poll(self, words):
        task = await self.poll(self.sticky_queue() if "sticky" in words.plain else self.normal_queue(), 8)
        if not task.task_token:
            return ["nothing"]
        self.tasks[words.get("as", "task")] = task
        return [task_text(task)]

    async def poll(self, queue, seconds):
        request = service.PollWorkflowTaskQueueRequest(namespace=NAMESPACE, identity="worker", task_queue=queue)
        return await self.rpc.poll_workflow_task_queue(request, timeout=timedelta(seconds=seconds))

    async def do_complete(self, words, commands):
        task = self.tasks[words.get("as", "task")]
        request = service.RespondWorkflowTaskCompletedRequest(
            namespace=NAMESPACE,
            task_token=task.task_token,
            identity="worker",
            commands=[self.command(text) for text in commands.split(";") if text.strip()],
            return_new_workflow_task="new" in words.plain,
            force_create_new_workflow_task="force" in words.plain,
        )
        if "sticky" in words.plain:
            request.sticky_attributes.worker_task_queue.CopyFrom(self.sticky_queue())
            timeout = duration(words.get("schedule-to-start", "10s"))
            request.sticky_attributes.schedule_to_start_timeout.CopyFrom(timeout)
        if "answer" in words.options:
            for key in task.queries:
                request.query_results[key].result_type = enums.QueryResultType.QUERY_RESULT_TYPE_ANSWERED
                request.query_results[key].answer.CopyFrom(payloads(words.get("answer")))
        answer = await self.rpc.respond_workflow_task_completed(request)
        if answer.workflow_task.task_token:
            self.tasks["task"] = answer.workflow_task
            return ["new " + task_text(answer.workflow_task)]

    async def do_fail_task(self, words):
        cause = upper_case(words.get("cause", "workflow-worker-unhandled-failure"))
        await self.rpc.respond_workflow_task_failed(
            service.RespondWorkflowTaskFailedRequest(
                namespace=NAMESPACE,
                task_token=self.tasks[words.get("as", "task")].task_token,
                identity="worker",
                cause=enums.WorkflowTaskFailedCause.Value("WORKFLOW_TASK_FAILED_CAUSE_" + cause),
                failure=failure("boom"),
            )
        )

    async def do_answer(self, words):
        results = enums.QueryResultType
        failed = "failed" in words.plain
        await self.rpc.respond_query_task_completed(
            service.RespondQueryTaskCompletedRequest(
                namespace=NAMESPACE,
                task_token=self.tasks[words.get("as", "task")].task_token,
                completed_type=results.QUERY_RESULT_TYPE_FAILED if failed else results.QUERY_RESULT_TYPE_ANSWERED,
                query_result=payloads(words.first()),
                error_message=words.first() if failed else "",
            )
        )

    # What an activity worker does.

    async def do_poll_activity(self, words):
        wanted = words.first()
        request = service.PollActivityTaskQueueRequest(
            namespace=NAMESPACE, identity="activity-worker", task_queue=taskqueue.TaskQueue(name=self.activities)
        )
        while wanted not in self.fetched:
            task = await self.rpc.poll_activity_task_queue(request, timeout=timedelta(seconds=70 if wanted else 3))
            if not task.task_token:
                return ["nothing"]
            self.fetched[task.activity_id] = task
        task = self.activity_tasks[wanted] = self.fetched.pop(wanted)
        text = f"activity {task.activity_id} type={task.activity_type.name} attempt={task.attempt}"
        if task.HasField("heartbeat_details"):
            text += " heartbeat=" + payloads_text(task.heartbeat_details)
        if task.priority.priority_key:
            text += f" priority={task.priority.priority_key}"
        return [text]

    def activity_answer(self, words):
        token = self.activity_tasks[words.first()].task_token
        return {"namespace": NAMESPACE, "task_token": token, "identity": "activity-worker"}

    async def do_complete_activity(self, words):
        request = service.RespondActivityTaskCompletedRequest(**self.activity_answer(words), result=payloads("r"))
        await self.rpc.respond_activity_task_completed(request)

    async def do_fail_activity(self, words):
        cause = failure("oops", "non-retryable" in words.plain)
        if "delay" in words.options:
            cause.application_failure_info.next_retry_delay.CopyFrom(duration(words.get("delay")))
        request = service.RespondActivityTaskFailedRequest(**self.activity_answer(words), failure=cause)
        await self.rpc.respond_activity_task_failed(request)

    async def do_cancel_activity_task(self, words):
        request = service.RespondActivityTaskCanceledRequest(**self.activity_answer(words), details=payloads("bye"))
        await self.rpc.respond_activity_task_canceled(request)

    async def do_heartbeat(self, words):
        request = service.RecordActivityTaskHeartbeatRequest(**self.activity_answer(words), details=payloads("beat"))
        answer = await self.rpc.record_activity_task_heartbeat(request)
        return [f"cancel-requested={str(answer.cancel_requested).lower()}"]

    # What a Nexus worker does, and the operator who creates its endpoint.

    async def do_endpoint(self, words):
        worker = nexus.EndpointTarget.Worker(namespace=NAMESPACE, task_queue=self.nexus)
        spec = nexus.EndpointSpec(name=self.endpoint, target=nexus.EndpointTarget(worker=worker))
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
            namespace=NAMESPACE, identity="nexus-worker", task_queue=taskqueue.TaskQueue(name=self.nexus)
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
                namespace=NAMESPACE,
                identity="nexus-worker",
                task_token=self.nexus_tasks[words.first()].task_token,
                response=response,
            )
        )
        await asyncio.sleep(LATENESS)

    async def do_nexus_started(self, words):
        started = nexus.StartOperationResponse.Async(operation_token=words.get("token", "tok"))
        await self.answer_nexus(words, start_response(async_success=started))

    async def do_nexus_result(self, words):
        result = nexus.StartOperationResponse.Sync(payload=None if "none" in words.plain else payload("r"))
        await self.answer_nexus(words, start_response(sync_success=result))

    async def do_nexus_failed(self, words):
        if "old" in words.plain:
            error = nexus.UnsuccessfulOperationError(
                operation_state=words.get("state", "failed"), failure=nexus.Failure(message="oops")
            )
            return await self.answer_nexus(words, start_response(operation_error=error))
        await self.answer_nexus(words, start_response(failure=nexus_failure(words)))

    async def do_nexus_cancel_taken(self, words):
        await self.answer_nexus(words, nexus.Response(cancel_operation=nexus.CancelOperationResponse()))

    async def do_nexus_error(self, words):
        behavior = "NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_" + upper_case(words.get("retry", "unspecified"))
        behavior = enums.NexusHandlerErrorRetryBehavior.Value(behavior)
        kind = upper_case(words.get("type", "internal"))
        request = service.RespondNexusTaskFailedRequest(
            namespace=NAMESPACE, identity="nexus-worker", task_token=self.nexus_tasks[words.first()].task_token
        )
        if "old" in words.plain:
            error = nexus.HandlerError(error_type=kind, retry_behavior=behavior, failure=nexus.Failure(message="oops"))
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
            namespace=NAMESPACE,
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
                    namespace=NAMESPACE, workflow_execution=execution, reason="stop", identity="client"
                )
            )
        elif end == "timed-out":
            await asyncio.sleep(2)
        else:
            task = await self.poll(queue, 8)
            ends = {"completed": "done r", "failed": "fail oops", "canceled": "cancelled"}
            await self.rpc.respond_workflow_task_completed(
                service.RespondWorkflowTaskCompletedRequest(
                    namespace=NAMESPACE, task_token=task.task_token, commands=[self.command(ends[end])]
                )
            )
        await asyncio.sleep(LATENESS * 2)

    # Commands.

    def command(self, text):
        words = Words(text)
        first = words.first()
        kind = {"timer": "start-timer", "activity": "schedule-activity-task", "cancel-activity": "request-cancel-activity-task"}
        kind |= {"marker": "record-marker", "upsert": "upsert-workflow-search-attributes", "memo": "modify-workflow-properties"}
        kind |= {"done": "complete-workflow-execution", "fail": "fail-workflow-execution"}
        kind |= {"nexus": "schedule-nexus-operation", "cancel-nexus": "request-cancel-nexus-operation"}
        kind |= {"cancelled": "cancel-workflow-execution", "continue-as-new": "continue-as-new-workflow-execution"}
        name = first if words.verb == "no-attributes" else kind.get(words.verb, words.verb)
        built = command.Command(command_type=enums.CommandType.Value("COMMAND_TYPE_" + upper_case(name)))
        if words.verb == "no-attributes":
            return built
        if "summary" in words.options:
            built.user_metadata.summary.CopyFrom(payload(words.get("summary")))
        attributes = getattr(built, name.replace("-", "_") + "_command_attributes")
        attributes.SetInParent()
        if words.verb == "timer":
            attributes.timer_id = id_of(first)
            if len(words.plain) > 1:
                attributes.start_to_fire_timeout.CopyFrom(duration(words.plain[1]))
        elif words.verb == "cancel-timer":
            attributes.timer_id = id_of(first)
        elif words.verb == "activity":
            self.fill_activity(attributes, words)
        elif words.verb == "nexus":
            self.fill_nexus(attributes, words)
        elif words.verb in ("cancel-activity", "cancel-nexus"):
            attributes.scheduled_event_id = int(first)
        elif words.verb == "marker":
            attributes.marker_name = id_of(first)
            attributes.details["d"].CopyFrom(payloads("x"))
        elif words.verb == "upsert":
            attributes.search_attributes.SetInParent()
            if first != "-":
                attributes.search_attributes.indexed_fields[first].CopyFrom(value_of(words))
        elif words.verb == "memo":
            attributes.upserted_memo.SetInParent()
            if first != "-":
                attributes.upserted_memo.fields[first].CopyFrom(value_of(words))
        elif words.verb == "done" and words.plain:
            attributes.result.CopyFrom(payloads(first))
        elif words.verb == "fail" and words.plain:
            attributes.failure.CopyFrom(failure(first, "non-retryable" in words.plain))
        elif words.verb == "continue-as-new":
            if words.plain:
                attributes.input.CopyFrom(payloads(first))
            attributes.workflow_type.name = words.get("type")
        return built

    def fill_activity(self, attributes, words):
        attributes.activity_id = id_of(words.first())
        attributes.activity_type.name = id_of(words.get("type", "A"))
        attributes.priority.priority_key = int(words.get("priority", "0"))
        if words.get("queue") != "-":
            attributes.task_queue.name = self.activities
        words.set_durations(attributes, ("schedule-to-close", "schedule-to-start", "start-to-close", "heartbeat"))
        is_timeless = "no-timeouts" in words.plain or "schedule-to-close" in words.options
        if not is_timeless and "start-to-close" not in words.options:
            attributes.start_to_close_timeout.CopyFrom(duration("30s"))
        if any(key in words.options for key in ("attempts", "initial", "maximum", "coefficient")):
            attributes.retry_policy.maximum_attempts = int(words.get("attempts", "0"))
            attributes.retry_policy.backoff_coefficient = float(words.get("coefficient", "0"))
            for key in ("initial", "maximum"):
                if key in words.options:
                    getattr(attributes.retry_policy, key + "_interval").CopyFrom(duration(words.get(key)))

    def fill_nexus(self, attributes, words):
        attributes.endpoint = words.get("endpoint", self.endpoint)
        attributes.service, attributes.operation = words.get("service", "S"), id_of(words.first())
        if "input" in words.options:
            attributes.input.CopyFrom(payload(words.get("input")))
        words.set_durations(attributes, ("schedule-to-close", "schedule-to-start", "start-to-close"))
        if "header" in words.options:
            attributes.nexus_header[words.get("header")] = "h"

    # Events: the lines of the model's `history_lines`.

    def event_line(self, event):
        kind = camel_case(enum_name("EventType", event.event_type))
        attributes = getattr(event, event.WhichOneof("attributes"))
        parts = [f"{event.event_id} {kind}"]
        for key, field in FIELDS[kind]:
            value = self.value(kind, key, attributes, field)
            if value:
                parts.append(f"{key}={value}")
        if event.user_metadata.HasField("summary"):
            parts.append("summary=" + payloads_text(common.Payloads(payloads=[event.user_metadata.summary])))
        if event.worker_may_ignore:
            parts.append("worker-may-ignore=true")
        return " ".join(parts)

    def value(self, kind, key, attributes, field):
        if "." in field:
            outer, inner = field.split(".")
            attributes, field = getattr(attributes, outer), inner
        value = getattr(attributes, field)
        descriptor = attributes.DESCRIPTOR.fields_by_name[field]
        if descriptor.enum_type:
            return camel_case(enum_name(descriptor.enum_type.name, value)) if value else ""
        if isinstance(value, bool):
            return str(value).lower() if value else ""
        if isinstance(value, int):
            return str(value) if value else ""
        if isinstance(value, str):
            return self.run(value) if field.endswith("run_id") else value
        if not hasattr(value, "DESCRIPTOR"):
            return ",".join(sorted(value)) if field in ("fields", "details", "nexus_header") else search_attributes_text(value)
        if not attributes.HasField(field):
            return ""
        if isinstance(value, Duration):
            milliseconds = value.ToMilliseconds()
            if key == "backoff" and getattr(attributes, "initiator", 0) == 1 and 0 < milliseconds < 1000:
                milliseconds = 1000  # some of the second has passed
            zero_is_none = key in ("execution-timeout", "run-timeout") or kind == "WorkflowExecutionStarted"
            return "" if zero_is_none and not milliseconds else duration_text(milliseconds)
        if isinstance(value, common.RetryPolicy):
            return retry_policy_text(value)
        if isinstance(value, common.Payload):
            return payloads_text(common.Payloads(payloads=[value]))
        if isinstance(value, common.Payloads):
            return payloads_text(value)
        return nexus_failure_text(value) if kind.startswith("NexusOperation") else failure_text(value)


FIELDS = {
    kind: [tuple(part.split(":")) for part in fields.split()]
    for kind, fields in {
        "WorkflowExecutionStarted": "type:workflow_type.name queue:task_queue.name attempt:attempt input:input"
        " execution-timeout:workflow_execution_timeout run-timeout:workflow_run_timeout"
        " task-timeout:workflow_task_timeout backoff:first_workflow_task_backoff initiator:initiator"
        " continued:continued_execution_run_id first:first_execution_run_id original:original_execution_run_id"
        " continued-failure:continued_failure last-result:last_completion_result"
        " max-attempts:retry_policy.maximum_attempts memo:memo.fields"
        " search-attributes:search_attributes.indexed_fields priority:priority.priority_key identity:identity",
        "WorkflowTaskScheduled": "queue:task_queue.name kind:task_queue.kind normal-name:task_queue.normal_name"
        " timeout:start_to_close_timeout attempt:attempt",
        "WorkflowTaskStarted": "scheduled:scheduled_event_id identity:identity"
        " suggest-continue-as-new:suggest_continue_as_new",
        "WorkflowTaskCompleted": "scheduled:scheduled_event_id started:started_event_id identity:identity",
        "WorkflowTaskTimedOut": "scheduled:scheduled_event_id started:started_event_id timeout:timeout_type",
        "WorkflowTaskFailed": "scheduled:scheduled_event_id started:started_event_id cause:cause failure:failure"
        " identity:identity",
        "ActivityTaskScheduled": "completed:workflow_task_completed_event_id id:activity_id type:activity_type.name"
        " queue:task_queue.name input:input schedule-to-close:schedule_to_close_timeout"
        " schedule-to-start:schedule_to_start_timeout start-to-close:start_to_close_timeout"
        " heartbeat:heartbeat_timeout retry:retry_policy priority:priority.priority_key",
        "ActivityTaskStarted": "scheduled:scheduled_event_id attempt:attempt identity:identity"
        " last-failure:last_failure",
        "ActivityTaskCompleted": "scheduled:scheduled_event_id started:started_event_id result:result identity:identity",
        "ActivityTaskFailed": "scheduled:scheduled_event_id started:started_event_id failure:failure"
        " retry-state:retry_state identity:identity",
        "ActivityTaskTimedOut": "scheduled:scheduled_event_id started:started_event_id failure:failure"
        " retry-state:retry_state",
        "ActivityTaskCancelRequested": "completed:workflow_task_completed_event_id scheduled:scheduled_event_id",
        "ActivityTaskCanceled": "scheduled:scheduled_event_id started:started_event_id"
        " requested:latest_cancel_requested_event_id details:details identity:identity",
        "TimerStarted": "completed:workflow_task_completed_event_id id:timer_id timeout:start_to_fire_timeout",
        "TimerFired": "id:timer_id started:started_event_id",
        "TimerCanceled": "completed:workflow_task_completed_event_id id:timer_id started:started_event_id"
        " identity:identity",
        "WorkflowExecutionSignaled": "name:signal_name input:input identity:identity",
        "WorkflowExecutionCancelRequested": "cause:cause identity:identity",
        "WorkflowExecutionCanceled": "completed:workflow_task_completed_event_id details:details",
        "WorkflowExecutionTerminated": "reason:reason identity:identity",
        "WorkflowExecutionTimedOut": "retry-state:retry_state new-run:new_execution_run_id",
        "WorkflowExecutionCompleted": "completed:workflow_task_completed_event_id result:result",
        "WorkflowExecutionFailed": "completed:workflow_task_completed_event_id failure:failure"
        " retry-state:retry_state new-run:new_execution_run_id",
        "WorkflowExecutionContinuedAsNew": "completed:workflow_task_completed_event_id"
        " new-run:new_execution_run_id type:workflow_type.name queue:task_queue.name input:input"
        " initiator:initiator run-timeout:workflow_run_timeout task-timeout:workflow_task_timeout"
        " backoff:backoff_start_interval memo:memo.fields search-attributes:search_attributes.indexed_fields",
        "WorkflowExecutionOptionsUpdated": "unset-versioning-override:unset_versioning_override"
        " priority:priority.priority_key identity:identity",
        "MarkerRecorded": "completed:workflow_task_completed_event_id name:marker_name details:details"
        " failure:failure",
        "UpsertWorkflowSearchAttributes": "completed:workflow_task_completed_event_id"
        " search-attributes:search_attributes.indexed_fields",
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
        "WorkflowPropertiesModified": "completed:workflow_task_completed_event_id memo:upserted_memo.fields",
    }.items()
}


def task_text(task):
    text = f"query task {task.query.query_type}" if task.HasField("query") else "task"
    text += f" attempt={task.attempt} previous={task.previous_started_event_id} started={task.started_event_id}"
    events = task.history.events
    if events:
        kinds = ",".join(camel_case(enum_name("EventType", event.event_type)) for event in events[-2:])
        text += f" events={events[0].event_id}-{events[-1].event_id} last={kinds}"
    else:
        text += " events=none"
    if task.queries:
        text += " queries=" + ",".join(sorted(asked.query_type for asked in task.queries.values()))
    return text


def failure_text(failed):
    kind = failed.WhichOneof("failure_info")
    text = failed.message
    if kind == "application_failure_info" and failed.application_failure_info.non_retryable:
        text += " non-retryable"
    elif kind == "timeout_failure_info":
        timeout = failed.timeout_failure_info.timeout_type
        text += " timeout=" + camel_case(enum_name("TimeoutType", timeout))
    elif kind == "server_failure_info":
        text = "server: " + text
    if failed.HasField("cause"):
        text += f" cause=({failure_text(failed.cause)})"
    return f"({text})"


def nexus_failure_text(failed):
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
        text += f" cause={nexus_failure_text(failed.cause)}"
    return f"({text})"


def nexus_text(task):
    """Of the header, what the workflow put there and how much time there is, about."""
    asked = getattr(task.request, task.request.WhichOneof("variant"))
    text = "nexus " + ("start" if task.request.HasField("start_operation") else "cancel")
    text += f" {asked.service}/{asked.operation}"
    if task.request.HasField("cancel_operation"):
        text += f" id={asked.operation_id} token={asked.operation_token}"
    elif asked.payload.data:
        text += " input=" + payloads_text(common.Payloads(payloads=[asked.payload]))
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
    return nexus.Response(start_operation=nexus.StartOperationResponse(**variant))


def retry_policy_text(policy):
    initial, maximum = (duration_text(wire.ToMilliseconds()) for wire in (policy.initial_interval, policy.maximum_interval))
    return f"{initial}*{policy.backoff_coefficient:g}<={maximum},attempts={policy.maximum_attempts}"


def search_attributes_text(fields):
    return ",".join(f"{key}:{fields[key].metadata['type'].decode()}" for key in sorted(fields))


def payload(text):
    return common.Payload(metadata={"encoding": b"json/plain"}, data=f'"{text}"'.encode())


def value_of(words):
    """Of a search attribute or a memo."""
    if "null" in words.plain:
        return common.Payload(metadata={"encoding": b"binary/null"})
    if "size" in words.options:
        data = '["' + "x" * (int(words.get("size")) - 4) + '"]'
    else:
        data = words.get("value", '"v"')
    return common.Payload(metadata={"encoding": b"json/plain"}, data=data.encode())


def payloads(text):
    return common.Payloads(payloads=[payload(text)])


def payloads_text(values):
    return ",".join(value.data.decode().strip('"') for value in values.payloads)


def failure(message, non_retryable=False):
    info = failure_v1.ApplicationFailureInfo(type="T", non_retryable=non_retryable)
    return failure_v1.Failure(message=message, application_failure_info=info)


def duration(text):
    number, unit = re.fullmatch(r"(-?\d+)(ms|s|m)", text).groups()
    result = Duration()
    result.FromMilliseconds(int(number) * {"ms": 1, "s": 1_000, "m": 60_000}[unit])
    return result


def duration_text(milliseconds):
    if milliseconds and milliseconds % 60_000 == 0:
        return f"{milliseconds // 60_000}m"
    return f"{milliseconds}ms" if milliseconds % 1_000 else f"{milliseconds // 1_000}s"


def id_of(text):
    return "" if text == "-" else text


def upper_case(text):
    return text.upper().replace("-", "_")


def enum_name(kind, value):
    name = getattr(enums, kind).Name(value)
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).upper() + "_"
    return name.removeprefix(prefix)


def camel_case(text):
    return "".join(word.capitalize() for word in text.split("_"))


if __name__ == "__main__":
    main()
