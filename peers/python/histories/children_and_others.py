"""Child Workflows, and other workflows that one signals or cancels."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from common import Timer, outcome


def child_id(suffix: str = "child") -> str:
    return f"{workflow.info().workflow_id}-{suffix}"


async def start_child(name: str, *arguments: Any, **options: Any) -> workflow.ChildWorkflowHandle[Any, Any]:
    """Starts a child, and waits until it has been started."""
    return await workflow.start_child_workflow(name, args=arguments, **{"id": child_id(), **options})


# --- What the others do


@workflow.defn(name="child_echo")
class ChildEcho:
    @workflow.run
    async def run(self, value: str) -> str:
        return value


@workflow.defn(name="child_timer")
class ChildTimer:
    @workflow.run
    async def run(self, seconds: int) -> int:
        await Timer(seconds).fired
        return seconds


@workflow.defn(name="child_refuses")
class ChildRefuses:
    @workflow.run
    async def run(self) -> str:
        raise ApplicationError("refused: by the child", type="Refused", non_retryable=True)


@workflow.defn(name="child_waits")
class ChildWaits:
    """Waits for the signal ``finish`` and gives its value.

    Cancelled before that, it ends as cancelled half a second later.
    """

    def __init__(self) -> None:
        self.value: str | None = None

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self.value is not None)
            return self.value
        except asyncio.CancelledError:
            await Timer(0.5).fired
            raise

    @workflow.signal
    def finish(self, value: str) -> None:
        self.value = value


# --- Children


@workflow.defn(name="child")
class Child:
    @workflow.run
    async def run(self) -> str:
        return await (await start_child("child_echo", "hello"))


@workflow.defn(name="child_default_id")
class ChildDefaultId:
    @workflow.run
    async def run(self) -> str:
        return await (await workflow.start_child_workflow("child_echo", "hello"))


@workflow.defn(name="children_two")
class ChildrenTwo:
    @workflow.run
    async def run(self) -> list[int]:
        starting = [
            asyncio.create_task(start_child("child_timer", seconds, id=child_id(f"{seconds}"))) for seconds in (1, 3)
        ]
        return [await (await started) for started in starting]


@workflow.defn(name="child_failed")
class ChildFailed:
    @workflow.run
    async def run(self) -> str:
        return await outcome(await start_child("child_refuses"))


@workflow.defn(name="child_terminated")
class ChildTerminated:
    @workflow.run
    async def run(self) -> str:
        return await outcome(await start_child("child_waits"))


async def cancel_one(cancellation_type: ChildWorkflowCancellationType) -> str:
    child = await start_child("child_waits", cancellation_type=cancellation_type)
    child.cancel()
    result = await outcome(child)
    await Timer(3).fired
    return result


@workflow.defn(name="child_try_cancel")
class ChildTryCancel:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ChildWorkflowCancellationType.TRY_CANCEL)


@workflow.defn(name="child_wait_cancelled")
class ChildWaitCancelled:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED)


@workflow.defn(name="child_wait_requested")
class ChildWaitRequested:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED)


@workflow.defn(name="child_abandon")
class ChildAbandon:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ChildWorkflowCancellationType.ABANDON)


@workflow.defn(name="child_cancelled_at_once")
class ChildCancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        starting = asyncio.create_task(start_child("child_waits"))
        await asyncio.sleep(0)
        starting.cancel()
        result = await outcome(starting)
        await Timer(0.1).fired
        return result


@workflow.defn(name="child_left_alone")
class ChildLeftAlone:
    @workflow.run
    async def run(self) -> str:
        await start_child("child_waits", parent_close_policy=ParentClosePolicy.ABANDON)
        return "left alone"


@workflow.defn(name="child_already_started")
class ChildAlreadyStarted:
    @workflow.run
    async def run(self) -> str:
        child = await start_child("child_waits")
        try:
            await start_child("child_waits")
            second = "started"
        except WorkflowAlreadyStartedError:
            second = "already started"
        await child.signal("finish", "done")
        await child
        return second


@workflow.defn(name="child_signalled")
class ChildSignalled:
    @workflow.run
    async def run(self) -> str:
        child = await start_child("child_waits")
        await child.signal("finish", "done")
        return await child


# --- Others


@workflow.defn(name="external_signal")
class ExternalSignal:
    @workflow.run
    async def run(self, other: str) -> str:
        return await outcome(workflow.get_external_workflow_handle(other).signal("finish", "done"))


@workflow.defn(name="external_cancel")
class ExternalCancel:
    @workflow.run
    async def run(self, other: str) -> str:
        return await outcome(workflow.get_external_workflow_handle(other).cancel())


WORKFLOWS = [
    ChildEcho,
    ChildTimer,
    ChildRefuses,
    ChildWaits,
    Child,
    ChildDefaultId,
    ChildrenTwo,
    ChildFailed,
    ChildTerminated,
    ChildTryCancel,
    ChildWaitCancelled,
    ChildWaitRequested,
    ChildAbandon,
    ChildCancelledAtOnce,
    ChildLeftAlone,
    ChildAlreadyStarted,
    ChildSignalled,
    ExternalSignal,
    ExternalCancel,
]
