"""The part of record.py that is about other workflows: children, signals and cancellations from workflow to workflow,
resets, and what operators change. What the lines mean stands in `other_workflows.rs`.
"""

import re
import uuid

import temporalio.api.common.v1 as common
import temporalio.api.enums.v1 as enums
import temporalio.api.workflow.v1 as workflow
import temporalio.api.workflowservice.v1 as service
from google.protobuf.field_mask_pb2 import FieldMask

from values import duration, payloads, upper_case, value_of

# Command verbs and the Commands that they are.
COMMANDS = {
    "child": "start-child-workflow-execution",
    "signal-external": "signal-external-workflow-execution",
    "cancel-external": "request-cancel-external-workflow-execution",
}

CHILD = "namespace:namespace workflow:workflow_execution type:workflow_type.name"
EXTERNAL = "completed:workflow_task_completed_event_id namespace:namespace workflow:workflow_execution"
FIELDS = {
    "StartChildWorkflowExecutionInitiated": "completed:workflow_task_completed_event_id namespace:namespace"
    " workflow:workflow_id type:workflow_type.name queue:task_queue.name input:input"
    " execution-timeout:workflow_execution_timeout run-timeout:workflow_run_timeout"
    " task-timeout:workflow_task_timeout close-policy:parent_close_policy reuse-policy:workflow_id_reuse_policy"
    " retry:retry_policy cron:cron_schedule memo:memo.fields"
    " search-attributes:search_attributes.indexed_fields header:header.fields priority:priority.priority_key control:control",
    "StartChildWorkflowExecutionFailed": "completed:workflow_task_completed_event_id initiated:initiated_event_id"
    " namespace:namespace workflow:workflow_id type:workflow_type.name cause:cause control:control",
    "ChildWorkflowExecutionStarted": f"initiated:initiated_event_id {CHILD} header:header.fields",
    "ChildWorkflowExecutionCompleted": f"initiated:initiated_event_id started:started_event_id {CHILD} result:result",
    "ChildWorkflowExecutionFailed": f"initiated:initiated_event_id started:started_event_id {CHILD} failure:failure"
    " retry-state:retry_state",
    "ChildWorkflowExecutionCanceled": f"initiated:initiated_event_id started:started_event_id {CHILD} details:details",
    "ChildWorkflowExecutionTimedOut": f"initiated:initiated_event_id started:started_event_id {CHILD}"
    " retry-state:retry_state",
    "ChildWorkflowExecutionTerminated": f"initiated:initiated_event_id started:started_event_id {CHILD}",
    "SignalExternalWorkflowExecutionInitiated": f"{EXTERNAL} name:signal_name input:input"
    " child-only:child_workflow_only header:header.fields control:control",
    "SignalExternalWorkflowExecutionFailed": f"initiated:initiated_event_id {EXTERNAL} cause:cause control:control",
    "ExternalWorkflowExecutionSignaled": "initiated:initiated_event_id namespace:namespace"
    " workflow:workflow_execution control:control",
    "RequestCancelExternalWorkflowExecutionInitiated": f"{EXTERNAL} child-only:child_workflow_only reason:reason"
    " control:control",
    "RequestCancelExternalWorkflowExecutionFailed": f"initiated:initiated_event_id {EXTERNAL} cause:cause"
    " control:control",
    "ExternalWorkflowExecutionCancelRequested": "initiated:initiated_event_id namespace:namespace"
    " workflow:workflow_execution",
}


class OtherWorkflows:
    """What a conversation says and shows of other workflows."""

    def named_execution(self, words):
        run = words.get("run")
        run_id = self.run_id(run) if run else ""
        return common.WorkflowExecution(workflow_id=self.tagged(words.get("on", "w")), run_id=run_id)

    def tagged(self, name):
        return f"{name}-{self.tag}" if name and name != "-" else ""

    def run_id(self, name):
        """`run-1`; what is not known is taken as it is."""
        known = re.fullmatch(r"run-(\d+)", name)
        return self.runs[int(known[1]) - 1] if known else name

    def execution_text(self, execution):
        return execution.workflow_id + (f"/{self.run(execution.run_id)}" if execution.run_id else "")

    def fill_start(self, request, words):
        """What a start and a Command to start a child have in common."""
        words.set_durations(request, ("run-timeout", "execution-timeout", "task-timeout"), prefix="workflow_")
        if "attempts" in words.options:
            request.retry_policy.maximum_attempts = int(words.get("attempts"))
        if "initial" in words.options:
            request.retry_policy.initial_interval.CopyFrom(duration(words.get("initial")))
        if "maximum" in words.options:
            request.retry_policy.maximum_interval.CopyFrom(duration(words.get("maximum")))
        for key, fields in (("memo", "memo"), ("header", "header")):
            if key in words.options:
                getattr(request, fields).fields[words.get(key)].CopyFrom(value_of(words))
        if "attribute" in words.options:
            request.search_attributes.indexed_fields[words.get("attribute")].CopyFrom(value_of(words))
        if "priority" in words.options:
            request.priority.priority_key = int(words.get("priority"))
        if "cron" in words.options:
            request.cron_schedule = words.get("cron").replace("_", " ")

    # What clients do.

    async def do_reset(self, words):
        request = service.ResetWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=self.named_execution(words),
            reason="again",
            identity="client",
            workflow_task_finish_event_id=int(words.first()),
            request_id=words.get("request") and words.get("request") + self.tag or str(uuid.uuid4()),
        )
        reapply = upper_case(words.get("reapply", "unspecified"))
        request.reset_reapply_type = enums.ResetReapplyType.Value("RESET_REAPPLY_TYPE_" + reapply)
        for exclude in filter(None, words.get("exclude").split(",")):
            name = "RESET_REAPPLY_EXCLUDE_TYPE_" + upper_case(exclude)
            request.reset_reapply_exclude_types.append(enums.ResetReapplyExcludeType.Value(name))
        answer = await self.rpc.reset_workflow_execution(request)
        return [self.run(answer.run_id)]

    async def do_options(self, words):
        options = workflow.WorkflowExecutionOptions()
        mask = []
        if "priority" in words.options:
            options.priority.priority_key = int(words.get("priority"))
            mask.append("priority")
        answer = await self.rpc.update_workflow_execution_options(
            service.UpdateWorkflowExecutionOptionsRequest(
                namespace=self.namespace,
                workflow_execution=self.named_execution(words),
                workflow_execution_options=options,
                update_mask=FieldMask(paths=mask),
                identity="client",
            )
        )
        return [f"options priority={answer.workflow_execution_options.priority.priority_key}"]

    # Commands.

    def fill_other_workflow(self, attributes, words):
        if "namespace" in words.options:
            attributes.namespace = words.get("namespace")
        if "control" in words.options:
            attributes.control = words.get("control")
        if words.verb == "child":
            self.fill_child(attributes, words)
            return
        attributes.child_workflow_only = "child-only" in words.plain
        run_id = self.run_id(words.get("run"))
        if words.verb == "cancel-external":
            attributes.workflow_id = self.tagged(words.first())
            attributes.run_id = run_id
            attributes.reason = words.get("reason")
            return
        if words.first() != "none":
            attributes.execution.workflow_id = self.tagged(words.first())
            attributes.execution.run_id = run_id
        attributes.signal_name = words.plain[1] if len(words.plain) > 1 and words.plain[1] != "-" else ""
        attributes.input.CopyFrom(payloads("s"))
        if "header" in words.options:
            attributes.header.fields[words.get("header")].CopyFrom(value_of(words))

    def fill_child(self, attributes, words):
        attributes.workflow_id = self.tagged(words.first())
        attributes.workflow_type.name = words.get("type", "C").replace("-", "")
        if "queue" in words.options:
            attributes.task_queue.name = self.tagged(words.get("queue"))
        attributes.input.CopyFrom(payloads("ci"))
        self.fill_start(attributes, words)
        close = upper_case(words.get("close", "unspecified"))
        attributes.parent_close_policy = enums.ParentClosePolicy.Value("PARENT_CLOSE_POLICY_" + close)
        policy = upper_case(words.get("policy", "unspecified"))
        policies = enums.WorkflowIdReusePolicy
        attributes.workflow_id_reuse_policy = policies.Value("WORKFLOW_ID_REUSE_POLICY_" + policy)

    def fill_continue_as_new(self, attributes, words):
        if "queue" in words.options:
            attributes.task_queue.name = self.tagged(words.get("queue"))
        if "backoff" in words.options:
            attributes.backoff_start_interval.CopyFrom(duration(words.get("backoff")))
        if "initiator" in words.options:
            initiator = "CONTINUE_AS_NEW_INITIATOR_" + upper_case(words.get("initiator"))
            attributes.initiator = enums.ContinueAsNewInitiator.Value(initiator)
        if "failure" in words.options:
            attributes.failure.message = words.get("failure")
        if "last-result" in words.options:
            attributes.last_completion_result.CopyFrom(payloads(words.get("last-result")))
        self.fill_start(attributes, words)
