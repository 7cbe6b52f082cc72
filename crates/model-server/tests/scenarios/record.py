"""Holds the conversations of scenarios/*.txt with a real Temporal Server.

    python record.py ADDRESS FILE...          writes down what the server answers
    python record.py --check ADDRESS FILE...  compares with what is written down; exit code 1 where it differs

Needs the package `temporalio`, whose generated messages and raw RPCs it uses, and on the server the search attribute
`ModelServerKeyword` of type Keyword (`temporal operator search-attribute create`). Settings that a file needs stand in its
first lines, as `--dynamic-config-value` of `temporal server start-dev`. What the lines mean stands in `../scenarios.rs`,
which holds the same conversations with the model. Several scenarios of a file run at the same time.
"""

import asyncio
import difflib
import os
import re
import sys
import uuid
from datetime import timedelta

import temporalio.api.command.v1 as command
import temporalio.api.common.v1 as common
import temporalio.api.deployment.v1 as deployment
import temporalio.api.enums.v1 as enums
import temporalio.api.query.v1 as query
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.update.v1 as update
import temporalio.api.workflowservice.v1 as service
from google.protobuf.duration_pb2 import Duration
from temporalio.client import Client
from temporalio.service import RPCError

import nexus_operations
import other_workflows
import updates
from nexus_operations import NexusOperations
from other_workflows import OtherWorkflows
from updates import Updates
from values import (
    LATENESS,
    Words,
    camel_case,
    duration,
    duration_text,
    enum_name,
    failure,
    failure_text,
    id_of,
    payload,
    payload_text,
    payloads,
    payloads_text,
    upper_case,
    value_of,
)

NAMESPACE = "default"
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


class Conversation(NexusOperations, OtherWorkflows, Updates):
    """A client, a workflow worker and an activity worker, in one."""

    namespace = NAMESPACE

    def __init__(self, client):
        self.rpc, self.operator = client.workflow_service, client.operator_service
        # Behind all names, so that conversations do not hear each other.
        self.tag = uuid.uuid4().hex[:8]
        self.workflow_id = self.tagged("w")
        self.normal, self.sticky, self.activities = map(self.tagged, ("normal", "sticky", "activities"))
        self.endpoint, self.nexus = map(self.tagged, ("endpoint", "nexus"))
        self.tasks, self.activity_tasks, self.fetched, self.queries, self.shown = {}, {}, {}, {}, {}
        self.updates = {}
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
        except LookupError as error:
            # A task or a run that did not come.
            answer = [f"there is no {error}"]
        return [self.with_names(line) for line in answer or []]

    def with_names(self, line):
        line = line.replace("-" + self.tag, "")
        for index, run in enumerate(self.runs):
            line = line.replace(run, f"run-{index + 1}")
        return line

    def run(self, run_id):
        if run_id and run_id not in self.runs:
            self.runs.append(run_id)
        return run_id

    def normal_queue(self, words):
        return taskqueue.TaskQueue(name=self.tagged(words.get("queue", "normal")), kind=enums.TaskQueueKind.TASK_QUEUE_KIND_NORMAL)

    def sticky_queue(self):
        kind = enums.TaskQueueKind.TASK_QUEUE_KIND_STICKY
        return taskqueue.TaskQueue(name=self.sticky, kind=kind, normal_name=self.normal)

    # What clients do.

    async def do_start(self, words):
        request = service.StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id=self.tagged(words.first("w")),
            workflow_type=common.WorkflowType(name="W"),
            task_queue=self.normal_queue(words),
            request_id=str(uuid.uuid4()),
            identity="client",
            input=payloads("in"),
        )
        self.fill_start(request, words)
        if "delay" in words.options:
            request.workflow_start_delay.CopyFrom(duration(words.get("delay")))
        policy = upper_case(words.get("policy", "unspecified"))
        request.workflow_id_reuse_policy = enums.WorkflowIdReusePolicy.Value("WORKFLOW_ID_REUSE_POLICY_" + policy)
        conflict = upper_case(words.get("conflict", "unspecified"))
        policies = enums.WorkflowIdConflictPolicy
        request.workflow_id_conflict_policy = policies.Value("WORKFLOW_ID_CONFLICT_POLICY_" + conflict)
        if "summary" in words.options:
            request.user_metadata.summary.CopyFrom(payload(words.get("summary")))
        started = await self.rpc.start_workflow_execution(request)
        return [self.run(started.run_id) + ("" if started.started else " already")]

    async def do_signal(self, words):
        request_id = words.get("request") and words.get("request") + self.workflow_id
        await self.rpc.signal_workflow_execution(
            service.SignalWorkflowExecutionRequest(
                namespace=NAMESPACE,
                workflow_execution=self.named_execution(words),
                signal_name=words.first(),
                input=payloads("s"),
                identity="client",
                request_id=request_id,
            )
        )

    async def do_cancel(self, words):
        await self.rpc.request_cancel_workflow_execution(
            service.RequestCancelWorkflowExecutionRequest(
                namespace=NAMESPACE,
                workflow_execution=self.named_execution(words),
                reason="why",
                identity="client",
                request_id=str(uuid.uuid4()),
            )
        )

    async def do_terminate(self, words):
        await self.rpc.terminate_workflow_execution(
            service.TerminateWorkflowExecutionRequest(
                namespace=NAMESPACE, workflow_execution=self.named_execution(words), reason="stop", identity="client"
            )
        )

    async def do_query(self, words):
        async def ask():
            request = service.QueryWorkflowRequest(
                namespace=NAMESPACE, execution=self.named_execution(words), query=query.WorkflowQuery(query_type=words.first())
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
        execution = self.named_execution(words)
        execution.run_id = self.run_id(words.first())
        answer = await self.rpc.get_workflow_execution_history(
            service.GetWorkflowExecutionHistoryRequest(
                namespace=NAMESPACE, execution=execution, maximum_page_size=1000
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
        task = await self.poll(self.sticky_queue() if "sticky" in words.plain else self.normal_queue(words), 8)
        if not task.task_token:
            return ["nothing"]
        self.tasks[words.get("as", "task")] = task
        return [task_text(task)]

    async def poll(self, queue, seconds):
        request = service.PollWorkflowTaskQueueRequest(namespace=NAMESPACE, identity="worker", task_queue=queue)
        return await self.rpc.poll_workflow_task_queue(request, timeout=timedelta(seconds=seconds))

    async def do_complete(self, words, commands):
        task = self.tasks[words.get("as", "task")]
        texts = [Words(text) for text in commands.split(";") if text.strip()]
        request = service.RespondWorkflowTaskCompletedRequest(
            namespace=NAMESPACE,
            task_token=task.task_token,
            identity="worker",
            commands=[self.command(text) for text in texts if not updates.is_message_only(text)],
            return_new_workflow_task="new" in words.plain,
            force_create_new_workflow_task="force" in words.plain,
            messages=[message for text in texts for message in updates.messages(task, text)],
            page_number=int(words.get("page", "0")),
            intermediate_page="intermediate" in words.plain,
        )
        if "discard" in words.plain:
            request.capabilities.discard_speculative_workflow_task_with_events = True
        if "metadata" in words.plain:
            request.sdk_metadata.lang_used_flags.append(3)
            request.sdk_metadata.sdk_name, request.sdk_metadata.sdk_version = "sdk", "1.0"
            request.metering_metadata.nonfirst_local_activity_execution_attempts = 2
        if "mode" in words.options:
            mode = "WORKER_VERSIONING_MODE_" + upper_case(words.get("mode"))
            request.deployment_options.CopyFrom(
                deployment.WorkerDeploymentOptions(
                    deployment_name="d", build_id="b", worker_versioning_mode=enums.WorkerVersioningMode.Value(mode)
                )
            )
        if "behavior" in words.options:
            behavior = "VERSIONING_BEHAVIOR_" + upper_case(words.get("behavior"))
            request.versioning_behavior = enums.VersioningBehavior.Value(behavior)
        if "sticky" in words.plain:
            request.sticky_attributes.worker_task_queue.CopyFrom(self.sticky_queue())
            timeout = duration(words.get("schedule-to-start", "10s"))
            request.sticky_attributes.schedule_to_start_timeout.CopyFrom(timeout)
        if "answer" in words.options:
            for key in task.queries:
                request.query_results[key].result_type = enums.QueryResultType.QUERY_RESULT_TYPE_ANSWERED
                request.query_results[key].answer.CopyFrom(payloads(words.get("answer")))
        answer = await self.rpc.respond_workflow_task_completed(request)
        lines = [f"reset {answer.reset_history_event_id}"] if answer.reset_history_event_id else []
        if answer.workflow_task.task_token:
            self.tasks["task"] = answer.workflow_task
            lines.append("new " + task_text(answer.workflow_task))
        return lines

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

    # Commands.

    def command(self, words):
        first = words.first()
        if words.verb in updates.COMMANDS:
            return updates.message_command(words)
        kind = {"timer": "start-timer", "activity": "schedule-activity-task", "cancel-activity": "request-cancel-activity-task"}
        kind |= {"marker": "record-marker", "upsert": "upsert-workflow-search-attributes", "memo": "modify-workflow-properties"}
        kind |= {"done": "complete-workflow-execution", "fail": "fail-workflow-execution"}
        kind |= {"cancelled": "cancel-workflow-execution", "continue-as-new": "continue-as-new-workflow-execution"}
        kind |= other_workflows.COMMANDS | nexus_operations.COMMANDS
        name = first if words.verb == "no-attributes" else kind.get(words.verb, words.verb)
        built = command.Command(command_type=enums.CommandType.Value("COMMAND_TYPE_" + upper_case(name)))
        if "summary" in words.options:
            built.user_metadata.summary.CopyFrom(payload(words.get("summary")))
        if words.verb == "no-attributes":
            return built
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
            self.fill_continue_as_new(attributes, words)
        elif words.verb in other_workflows.COMMANDS:
            self.fill_other_workflow(attributes, words)
        return built

    def fill_activity(self, attributes, words):
        attributes.activity_id = id_of(words.first())
        attributes.activity_type.name = id_of(words.get("type", "A"))
        if "priority" in words.options:
            attributes.priority.priority_key = int(words.get("priority"))
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
            parts.append("summary=" + payload_text(event.user_metadata.summary))
        if event.worker_may_ignore:
            parts.append("worker-may-ignore=true")
        return " ".join(parts)

    def value(self, kind, key, attributes, field):
        *outers, field = field.split(".")
        for outer in outers:
            attributes = getattr(attributes, outer)
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
        if field == "lang_used_flags":
            return ",".join(map(str, value))
        if not hasattr(value, "DESCRIPTOR"):
            return ",".join(sorted(value)) if field in ("fields", "details", "nexus_header") else search_attributes_text(value)
        if not attributes.HasField(field):
            return ""
        if isinstance(value, update.Outcome):
            return updates.outcome_text(value).strip()
        if isinstance(value, Duration):
            milliseconds = value.ToMilliseconds()
            if key == "backoff" and getattr(attributes, "initiator", 0) == 1 and 0 < milliseconds < 1000:
                milliseconds = 1000  # some of the second has passed
            zero_is_none = key in ("execution-timeout", "run-timeout") or kind == "WorkflowExecutionStarted"
            return "" if zero_is_none and not milliseconds else duration_text(milliseconds)
        if isinstance(value, common.RetryPolicy):
            return retry_policy_text(value)
        if isinstance(value, common.WorkflowExecution):
            return self.execution_text(value)
        if isinstance(value, common.Payload):
            return payload_text(value)
        if isinstance(value, common.Payloads):
            return payloads_text(value)
        in_full = kind in nexus_operations.FIELDS
        return nexus_operations.failure_text(value) if in_full else failure_text(value)


FIELDS = {
    kind: [tuple(part.split(":")) for part in fields.split()]
    for kind, fields in {
        "WorkflowExecutionStarted": "type:workflow_type.name queue:task_queue.name attempt:attempt input:input"
        " execution-timeout:workflow_execution_timeout run-timeout:workflow_run_timeout"
        " task-timeout:workflow_task_timeout backoff:first_workflow_task_backoff initiator:initiator"
        " continued:continued_execution_run_id first:first_execution_run_id original:original_execution_run_id"
        " continued-failure:continued_failure last-result:last_completion_result"
        " max-attempts:retry_policy.maximum_attempts memo:memo.fields"
        " search-attributes:search_attributes.indexed_fields header:header.fields priority:priority.priority_key"
        " parent:parent_workflow_execution parent-namespace:parent_workflow_namespace"
        " initiated:parent_initiated_event_id root:root_workflow_execution cron:cron_schedule identity:identity",
        "WorkflowTaskScheduled": "queue:task_queue.name kind:task_queue.kind normal-name:task_queue.normal_name"
        " timeout:start_to_close_timeout attempt:attempt",
        "WorkflowTaskStarted": "scheduled:scheduled_event_id identity:identity"
        " suggest-continue-as-new:suggest_continue_as_new",
        "WorkflowTaskCompleted": "scheduled:scheduled_event_id started:started_event_id identity:identity"
        " sdk:sdk_metadata.sdk_name sdk-version:sdk_metadata.sdk_version flags:sdk_metadata.lang_used_flags"
        " more-attempts:metering_metadata.nonfirst_local_activity_execution_attempts"
        " deployment:worker_deployment_name version:worker_deployment_version build:deployment_version.build_id"
        " behavior:versioning_behavior",
        "WorkflowTaskTimedOut": "scheduled:scheduled_event_id started:started_event_id timeout:timeout_type",
        "WorkflowTaskFailed": "scheduled:scheduled_event_id started:started_event_id cause:cause failure:failure"
        " base:base_run_id new:new_run_id fork:fork_event_version identity:identity",
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
        "WorkflowExecutionSignaled": "name:signal_name input:input header:header.fields"
        " from:external_workflow_execution identity:identity",
        "WorkflowExecutionCancelRequested": "cause:cause from:external_workflow_execution"
        " initiated:external_initiated_event_id identity:identity",
        "WorkflowExecutionCanceled": "completed:workflow_task_completed_event_id details:details",
        "WorkflowExecutionTerminated": "reason:reason identity:identity",
        "WorkflowExecutionTimedOut": "retry-state:retry_state new-run:new_execution_run_id",
        "WorkflowExecutionCompleted": "completed:workflow_task_completed_event_id result:result",
        "WorkflowExecutionFailed": "completed:workflow_task_completed_event_id failure:failure"
        " retry-state:retry_state new-run:new_execution_run_id",
        "WorkflowExecutionContinuedAsNew": "completed:workflow_task_completed_event_id"
        " new-run:new_execution_run_id type:workflow_type.name queue:task_queue.name input:input"
        " initiator:initiator run-timeout:workflow_run_timeout task-timeout:workflow_task_timeout"
        " backoff:backoff_start_interval memo:memo.fields search-attributes:search_attributes.indexed_fields"
        " header:header.fields continued-failure:failure last-result:last_completion_result",
        "WorkflowExecutionOptionsUpdated": "unset-versioning-override:unset_versioning_override"
        " priority:priority.priority_key identity:identity",
        "MarkerRecorded": "completed:workflow_task_completed_event_id name:marker_name details:details"
        " failure:failure",
        "UpsertWorkflowSearchAttributes": "completed:workflow_task_completed_event_id"
        " search-attributes:search_attributes.indexed_fields",
        "WorkflowPropertiesModified": "completed:workflow_task_completed_event_id memo:upserted_memo.fields",
        **nexus_operations.FIELDS,
        **other_workflows.FIELDS,
        **updates.FIELDS,
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
    if task.messages:
        text += " messages=" + ",".join(updates.message_text(message) for message in task.messages)
    return text


def retry_policy_text(policy):
    initial, maximum = (duration_text(wire.ToMilliseconds()) for wire in (policy.initial_interval, policy.maximum_interval))
    return f"{initial}*{policy.backoff_coefficient:g}<={maximum},attempts={policy.maximum_attempts}"


def search_attributes_text(fields):
    return ",".join(f"{key}:{fields[key].metadata['type'].decode()}" for key in sorted(fields))


if __name__ == "__main__":
    main()
