"""How workflows end, and what is said about them and their parts."""

import asyncio

from temporalio import workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from common import Timer, start, start_local
    from patches_and_upserts import COLOUR

# --- Endings


@workflow.defn(name="workflow_failed")
class WorkflowFailed:
    @workflow.run
    async def run(self) -> str:
        raise ApplicationError("refused: by the workflow", type="Refused", non_retryable=True)


@workflow.defn(name="workflow_cancelled")
class WorkflowCancelled:
    @workflow.run
    async def run(self) -> str:
        await asyncio.sleep(3600)
        return "never"


@workflow.defn(name="workflow_cancelled_cleanup")
class WorkflowCancelledCleanup:
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.sleep(3600)
            return "never"
        except asyncio.CancelledError:
            await start("echo", "clean-up")
            raise


@workflow.defn(name="workflow_cancelled_completes")
class WorkflowCancelledCompletes:
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.sleep(3600)
            return "never"
        except asyncio.CancelledError:
            return "cancelled, and completed"


@workflow.defn(name="continue_as_new")
class ContinueAsNew:
    @workflow.run
    async def run(self, run: int) -> str:
        await Timer(0.1).fired
        if run == 1:
            attributes = TypedSearchAttributes([SearchAttributePair(COLOUR, "red")])
            workflow.continue_as_new(2, memo={"note": "kept"}, search_attributes=attributes)
        return "done"


@workflow.defn(name="workflow_task_failed")
class WorkflowTaskFailed:
    """Fails its second Workflow Task once: what a bug does, and its repair."""

    @workflow.run
    async def run(self) -> str:
        await Timer(0.1).fired
        if workflow.info().get_current_history_length() < 10:
            raise RuntimeError("a bug")
        await Timer(0.1).fired
        return "repaired"


@workflow.defn(name="resettable")
class Resettable:
    """Somewhat of everything, until the signal ``finish``."""

    def __init__(self) -> None:
        self.finished = False

    @workflow.run
    async def run(self) -> bool:
        await start_local("echo", "local")
        patched = workflow.patched("my-patch")
        await Timer(0.1).fired
        await start("echo", str(workflow.uuid4()))
        await workflow.wait_condition(lambda: self.finished)
        return patched

    @workflow.signal
    def finish(self) -> None:
        self.finished = True


# --- Options


@workflow.defn(name="summaries")
class Summaries:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(0.1, summary="a timer")
        await start("echo", "hello", summary="an activity")
        await start_local("echo", "hello", summary="a Local Activity")
        return await workflow.execute_child_workflow(
            "child_echo",
            "hello",
            id=f"{workflow.info().workflow_id}-child",
            static_summary="a child",
            static_details="with details",
        )


@workflow.defn(name="priorities")
class Priorities:
    @workflow.run
    async def run(self) -> str:
        await start("echo", "hello", priority=Priority(priority_key=2))
        return await workflow.execute_child_workflow(
            "child_echo",
            "hello",
            id=f"{workflow.info().workflow_id}-child",
            priority=Priority(priority_key=4, fairness_key="child", fairness_weight=2),
        )


@workflow.defn(name="random")
class Random:
    """A UUID and a random number leave their trace in an activity's input."""

    @workflow.run
    async def run(self) -> str:
        await start("echo", str(workflow.uuid4()))
        return await start("echo", str(workflow.random().randint(0, 1_000_000)))


WORKFLOWS = [
    WorkflowFailed,
    WorkflowCancelled,
    WorkflowCancelledCleanup,
    WorkflowCancelledCompletes,
    ContinueAsNew,
    WorkflowTaskFailed,
    Resettable,
    Summaries,
    Priorities,
    Random,
]
