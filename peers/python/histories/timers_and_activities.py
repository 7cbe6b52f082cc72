"""Timers and activities."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from common import Timer, outcome, start

# --- Timers


@workflow.defn(name="timer")
class OneTimer:
    @workflow.run
    async def run(self) -> str:
        await Timer(0.1).fired
        return "fired"


@workflow.defn(name="timer_cancelled")
class TimerCancelled:
    @workflow.run
    async def run(self) -> str:
        long, short = Timer(3600), Timer(0.1)
        await short.fired
        long.cancel()
        await Timer(0.1).fired
        return "fired"


@workflow.defn(name="timer_cancelled_at_once")
class TimerCancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        Timer(3600).cancel()
        await Timer(0.1).fired
        return "fired"


@workflow.defn(name="timers_race")
class TimersRace:
    @workflow.run
    async def run(self) -> str:
        long, short = Timer(3600), Timer(0.1)
        await asyncio.wait([long.fired, short.fired], return_when=asyncio.FIRST_COMPLETED)
        long.cancel()
        return "short"


@workflow.defn(name="timers_parallel")
class TimersParallel:
    @workflow.run
    async def run(self) -> str:
        timers = [Timer(1), Timer(0.1), Timer(2)]
        for timer in timers:
            await timer.fired
        return "fired"


# --- Activities


@workflow.defn(name="activity")
class OneActivity:
    @workflow.run
    async def run(self) -> str:
        return await start("echo", "hello")


@workflow.defn(name="activity_nothing")
class ActivityNothing:
    @workflow.run
    async def run(self) -> None:
        await start("nothing")


@workflow.defn(name="activity_custom_id")
class ActivityCustomId:
    @workflow.run
    async def run(self) -> str:
        return await start("echo", "hello", activity_id="my-activity")


@workflow.defn(name="activity_retried")
class ActivityRetried:
    @workflow.run
    async def run(self) -> int:
        return await start("fail_until", 2, retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.1)))


@workflow.defn(name="activity_failed")
class ActivityFailed:
    @workflow.run
    async def run(self) -> str:
        return await outcome(start("refuse", "no"))


@workflow.defn(name="activity_timed_out")
class ActivityTimedOut:
    @workflow.run
    async def run(self) -> str:
        half_second = timedelta(seconds=0.5)
        policy = RetryPolicy(maximum_attempts=1)
        return await outcome(start("wait_ms", 2000, start_to_close_timeout=half_second, retry_policy=policy))


@workflow.defn(name="activities_parallel")
class ActivitiesParallel:
    @workflow.run
    async def run(self) -> list[int]:
        activities = [start("wait_ms", milliseconds) for milliseconds in (1000, 10, 2000)]
        return [await activity for activity in activities]


async def cancel_one(cancellation_type: ActivityCancellationType) -> str:
    working = start(
        "until_cancelled", heartbeat_timeout=timedelta(seconds=10), cancellation_type=cancellation_type
    )
    await Timer(0.5).fired
    working.cancel()
    result = await outcome(working)
    await Timer(1).fired
    return result


@workflow.defn(name="activity_try_cancel")
class ActivityTryCancel:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ActivityCancellationType.TRY_CANCEL)


@workflow.defn(name="activity_wait_cancelled")
class ActivityWaitCancelled:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)


@workflow.defn(name="activity_abandon")
class ActivityAbandon:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(ActivityCancellationType.ABANDON)


@workflow.defn(name="activity_cancelled_at_once")
class ActivityCancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        activity = start("echo", "never")
        await asyncio.sleep(0)  # so that it is cancelled as an activity and not as a task that never ran
        activity.cancel()
        result = await outcome(activity)
        await Timer(0.1).fired
        return result


WORKFLOWS = [
    OneTimer,
    TimerCancelled,
    TimerCancelledAtOnce,
    TimersRace,
    TimersParallel,
    OneActivity,
    ActivityNothing,
    ActivityCustomId,
    ActivityRetried,
    ActivityFailed,
    ActivityTimedOut,
    ActivitiesParallel,
    ActivityTryCancel,
    ActivityWaitCancelled,
    ActivityAbandon,
    ActivityCancelledAtOnce,
]
