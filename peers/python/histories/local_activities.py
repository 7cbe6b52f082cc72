"""Local Activities."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from common import Timer, outcome, start, start_local


@workflow.defn(name="local_activity")
class LocalActivity:
    @workflow.run
    async def run(self) -> str:
        return await start_local("echo", "hello")


@workflow.defn(name="local_activity_nothing")
class LocalActivityNothing:
    @workflow.run
    async def run(self) -> None:
        await start_local("nothing")


@workflow.defn(name="local_activity_custom_id")
class LocalActivityCustomId:
    @workflow.run
    async def run(self) -> str:
        return await start_local("echo", "hello", activity_id="my-activity")


@workflow.defn(name="local_activity_retried")
class LocalActivityRetried:
    @workflow.run
    async def run(self) -> int:
        return await start_local("fail_until", 3, retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.05)))


@workflow.defn(name="local_activity_failed")
class LocalActivityFailed:
    @workflow.run
    async def run(self) -> str:
        result = await outcome(start_local("refuse", "no"))
        await Timer(0.1).fired
        return result


@workflow.defn(name="local_activity_timed_out")
class LocalActivityTimedOut:
    @workflow.run
    async def run(self) -> str:
        short = timedelta(seconds=0.3)
        policy = RetryPolicy(maximum_attempts=1)
        return await outcome(start_local("wait_ms", 2000, start_to_close_timeout=short, retry_policy=policy))


@workflow.defn(name="local_activities_parallel")
class LocalActivitiesParallel:
    @workflow.run
    async def run(self) -> list[int]:
        activities = [start_local("wait_ms", milliseconds) for milliseconds in (600, 10, 300)]
        return [await activity for activity in activities]


@workflow.defn(name="local_activities_chain_beside_slow")
class LocalActivitiesChainBesideSlow:
    @workflow.run
    async def run(self) -> list[int]:
        slow = start_local("wait_ms", 1500)
        chain = [await start_local("wait_ms", milliseconds) for milliseconds in (101, 102, 103)]
        return [*chain, await slow]


@workflow.defn(name="local_activity_backoff")
class LocalActivityBackoff:
    @workflow.run
    async def run(self) -> int:
        return await start_local(
            "fail_until",
            3,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=1),
            local_retry_threshold=timedelta(seconds=0.5),
        )


@workflow.defn(name="local_activity_heartbeat")
class LocalActivityHeartbeat:
    @workflow.run
    async def run(self) -> int:
        return await start_local("wait_ms", 4000)


@workflow.defn(name="local_activity_timer_race")
class LocalActivityTimerRace:
    @workflow.run
    async def run(self) -> str:
        timer = Timer(1)
        activity = start_local("until_cancelled")
        await asyncio.wait([timer.fired, activity], return_when=asyncio.FIRST_COMPLETED)
        activity.cancel()
        return await outcome(activity)


async def cancel_one(cancellation_type: ActivityCancellationType) -> str:
    working = start_local("until_cancelled", cancellation_type=cancellation_type)
    await start_local("wait_ms", 200)
    working.cancel()
    result = await outcome(working)
    await Timer(0.1).fired
    return result


@workflow.defn(name="local_activity_try_cancel")
class LocalActivityTryCancel:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ActivityCancellationType.TRY_CANCEL)


@workflow.defn(name="local_activity_wait_cancelled")
class LocalActivityWaitCancelled:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)


@workflow.defn(name="local_activity_abandon")
class LocalActivityAbandon:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ActivityCancellationType.ABANDON)


@workflow.defn(name="local_activity_cancelled_at_once")
class LocalActivityCancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        activity = start_local("wait_ms", 100)
        await asyncio.sleep(0)
        activity.cancel()
        result = await outcome(activity)
        await Timer(0.1).fired
        return result


@workflow.defn(name="local_activity_workflow_cancelled")
class LocalActivityWorkflowCancelled:
    @workflow.run
    async def run(self) -> str:
        return await start_local("until_cancelled")


@workflow.defn(name="local_activity_second_task")
class LocalActivitySecondTask:
    @workflow.run
    async def run(self) -> list[str]:
        await Timer(0.1).fired
        first = await start_local("echo", "first")
        await Timer(0.1).fired
        return [first, await start_local("echo", "second")]


@workflow.defn(name="local_activity_beside_others")
class LocalActivityBesideOthers:
    @workflow.run
    async def run(self) -> str:
        timer = Timer(1)
        local = start_local("wait_ms", 100)
        activity = start("echo", "hello")
        await local
        second_timer = Timer(2)
        await timer.fired
        await activity
        await second_timer.fired
        return "all"


@workflow.defn(name="local_activity_failing_workflow")
class LocalActivityFailingWorkflow:
    @workflow.run
    async def run(self) -> str:
        return await start_local("refuse", "no")


WORKFLOWS = [
    LocalActivity,
    LocalActivityNothing,
    LocalActivityCustomId,
    LocalActivityRetried,
    LocalActivityFailed,
    LocalActivityTimedOut,
    LocalActivitiesParallel,
    LocalActivitiesChainBesideSlow,
    LocalActivityBackoff,
    LocalActivityHeartbeat,
    LocalActivityTimerRace,
    LocalActivityTryCancel,
    LocalActivityWaitCancelled,
    LocalActivityAbandon,
    LocalActivityCancelledAtOnce,
    LocalActivityWorkflowCancelled,
    LocalActivitySecondTask,
    LocalActivityBesideOthers,
    LocalActivityFailingWorkflow,
]
