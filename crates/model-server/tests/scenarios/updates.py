"""The part of record.py that is about Updates. What the lines mean stands in `../scenarios.rs`."""

import asyncio
from datetime import timedelta

import temporalio.api.command.v1 as command
import temporalio.api.enums.v1 as enums
import temporalio.api.protocol.v1 as protocol
import temporalio.api.update.v1 as update
import temporalio.api.workflowservice.v1 as service
from temporalio.service import RPCError

from values import camel_case, enum_name, failure, failure_text, id_of, payloads, payloads_text, upper_case

# What names an Update's message; all but rejections come with a Command.
COMMANDS = ("accept", "reject", "respond", "nonsense", "message")

FIELDS = {
    "WorkflowExecutionUpdateAdmitted": "update:request.meta.update_id name:request.input.name origin:origin",
    "WorkflowExecutionUpdateAccepted": "update:protocol_instance_id message:accepted_request_message_id"
    " sequencing:accepted_request_sequencing_event_id name:accepted_request.input.name",
    "WorkflowExecutionUpdateCompleted": "update:meta.update_id accepted:accepted_event_id outcome:outcome",
}


class Updates:
    """What a conversation says and shows of Updates."""

    async def do_update(self, words):
        request = service.UpdateWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=self.named_execution(words),
            request=update_request(words.first(), words.get("name", "n")),
        )
        request.wait_policy.lifecycle_stage = stage(words.get("wait", "completed"))
        await self.ask_later(words, self.rpc.update_workflow_execution, request)

    async def do_poll_update(self, words):
        ref = update.UpdateRef(workflow_execution=self.named_execution(words), update_id=words.first())
        request = service.PollWorkflowExecutionUpdateRequest(namespace=self.namespace, update_ref=ref)
        request.wait_policy.lifecycle_stage = stage(words.get("wait", "completed"))
        await self.ask_later(words, self.rpc.poll_workflow_execution_update, request)

    async def ask_later(self, words, call, request):
        async def ask():
            try:
                answer = await call(request, timeout=timedelta(seconds=60))
            except RPCError as error:
                return f"{error.status.name} {error.message}"
            reached = camel_case(enum_name("UpdateWorkflowExecutionLifecycleStage", answer.stage))
            return f"{reached} {self.run(answer.update_ref.workflow_execution.run_id)}" + outcome_text(answer.outcome)

        self.updates[words.get("as", words.first())] = asyncio.ensure_future(ask())
        await asyncio.sleep(0.3)

    async def do_await_update(self, words):
        asked = self.updates[words.first()]
        await asyncio.wait([asked], timeout=1.5)
        return [asked.result() if asked.done() else "nothing"]


# What a worker says.


def is_message_only(words):
    return words.verb in COMMANDS and (words.verb == "reject" or "no-command" in words.plain)


def message_command(words):
    attributes = command.ProtocolMessageCommandAttributes(message_id=message_id(words))
    kind = enums.CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE
    return command.Command(command_type=kind, protocol_message_command_attributes=attributes)


def messages(task, words):
    if words.verb not in COMMANDS or words.verb == "message":
        return []
    update_id = words.first()
    sent = next((message for message in task.messages if message.protocol_instance_id == update_id), protocol.Message())
    # A worker that has accepted before does not hear of it again.
    request = update.Request()
    sent.body.Unpack(request)
    if "own-request" in words.plain:
        request = update_request(update_id, "n")
    meta = update.Meta(update_id=update_id)
    if words.verb == "accept":
        body = update.Acceptance(
            accepted_request_message_id="" if "no-message-id" in words.plain else update_id + "/request",
            accepted_request_sequencing_event_id=int(words.get("sequencing", str(sent.event_id))),
        )
        if "no-request" not in words.plain:
            body.accepted_request.CopyFrom(request)
    elif words.verb == "reject":
        body = update.Rejection(rejected_request_message_id=update_id + "/request", failure=failure("no"))
        if "no-request" not in words.plain:
            body.rejected_request.CopyFrom(request)
    elif words.verb == "respond":
        body = update.Response(meta=meta)
        if "failed" in words.plain:
            body.outcome.failure.CopyFrom(failure("bad"))
        elif "no-outcome" not in words.plain:
            body.outcome.success.CopyFrom(payloads(words.plain[1] if len(words.plain) > 1 else "ok"))
    else:
        body = update.Meta(update_id=update_id)
    message = protocol.Message(id=message_id(words), protocol_instance_id=update_id)
    if "no-body" not in words.plain:
        message.body.Pack(body)
    return [message]


def message_id(words):
    return id_of(words.first()) if words.verb == "message" else f"{words.first()}/{words.verb}"


def update_request(update_id, name):
    request = update.Request(meta=update.Meta(update_id=id_of(update_id), identity="client"))
    request.input.name = id_of(name)
    request.input.args.CopyFrom(payloads("a"))
    return request


def stage(text):
    return enums.UpdateWorkflowExecutionLifecycleStage.Value("UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_" + upper_case(text))


# What is shown.


def outcome_text(outcome):
    kind = outcome.WhichOneof("value")
    if kind == "success":
        return " " + payloads_text(outcome.success)
    return f" failed {failure_text(outcome.failure)}" if kind else ""


def message_text(message):
    request = update.Request()
    message.body.Unpack(request)
    assert message.id == f"{message.protocol_instance_id}/request" and request.meta.update_id == message.protocol_instance_id
    return f"{message.protocol_instance_id}@{message.event_id}"
