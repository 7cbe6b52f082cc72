"""The same programs as in ``crates/timewright/tests/programs``, command for command, so that each side can replay what the
other recorded. Recorded histories of both sides are in the repository for ever: what a program does never changes.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.workflow import ActivityCancellationType

SECOND = timedelta(seconds=1)
LONG = timedelta(seconds=30)
GREETINGS = {"de": "Guten Tag, {}!", "en": "Hello, {}!", "fr": "Bonjour, {} !"}


@dataclass
class GreetingInput:
    """Input of the activity ``compose_greeting`` and of the workflow ``greeting``."""

    name: str
    language: str


# --- Activities


@activity.defn
async def compose_greeting(greeting: GreetingInput) -> str:
    """Finds the words, ``Hello, Ada!`` for example; fails in a language that it does not know."""
    words = GREETINGS.get(greeting.language)
    if words is None:
        raise ApplicationError(
            f'no greeting is known in language "{greeting.language}"',
            greeting.language,
            type="UnknownLanguage",
            non_retryable=True,
        )
    return words.format(greeting.name)


@activity.defn
async def program_echo(text: str) -> str:
    """What came in."""
    return text


@activity.defn
async def program_flaky(text: str) -> str:
    """What came in, on the second attempt."""
    if activity.info().attempt == 1:
        raise ApplicationError("not yet", type="NotYet")
    return text


@activity.defn
async def program_refuse(text: str) -> str:
    """Fails for good."""
    raise ApplicationError(f"{text} is refused", text, type="Refused", non_retryable=True)


@activity.defn
async def program_wait(name: str) -> str:
    """Tells its workflow that it has begun, and works until it is cancelled."""
    info = activity.info()
    handle = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
    await handle.signal("begun", name)
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


# --- Workflows


@workflow.defn(name="greeting")
class Greeting:
    """The program in ``examples/greeting-workflow-worker``."""

    @workflow.init
    def __init__(self, greeting: GreetingInput) -> None:
        self.language = greeting.language
        self.greeting = ""

    @workflow.run
    async def run(self, greeting: GreetingInput) -> str:
        self.greeting = await workflow.execute_activity(
            compose_greeting,
            GreetingInput(greeting.name, self.language),
            task_queue=f"{workflow.info().task_queue}-activities",
            start_to_close_timeout=timedelta(seconds=10),
        )
        await asyncio.sleep(1)
        return self.greeting

    @workflow.signal
    def set_language(self, language: str) -> None:
        self.language = language

    @workflow.query
    def current_greeting(self) -> str:
        return self.greeting


@workflow.defn(name="approvals")
class Approvals:
    """Waits until so many have approved."""

    def __init__(self) -> None:
        self.approvers: list[str] = []

    @workflow.run
    async def run(self, needed: int) -> list[str]:
        await workflow.execute_activity(program_echo, "opened", start_to_close_timeout=LONG)
        await workflow.wait_condition(lambda: len(self.approvers) >= needed)
        return self.approvers

    @workflow.signal
    def approve(self, name: str) -> None:
        self.approvers.append(name)


@workflow.defn(name="timers")
class Timers:
    """Two timers race; the loser is cancelled; a third follows."""

    @workflow.run
    async def run(self) -> str:
        short = asyncio.create_task(asyncio.sleep(0.05))
        long = asyncio.create_task(asyncio.sleep(3600))
        done, _ = await workflow.wait([short, long], return_when=asyncio.FIRST_COMPLETED)
        long.cancel()
        try:
            await long
        except asyncio.CancelledError:
            pass  # the timer has been cancelled, and only then does the next one start
        await asyncio.sleep(0.01)
        return "short" if short in done else "long"


@workflow.defn(name="fan_out")
class FanOut:
    """Three activities at once, the last with an id of its own, awaited in another order."""

    @workflow.run
    async def run(self, words: list[str]) -> str:
        handles = [
            workflow.start_activity(
                program_echo,
                word,
                start_to_close_timeout=LONG,
                activity_id="last" if index == len(words) - 1 else None,
            )
            for index, word in enumerate(words)
        ]
        return " ".join([await handle for handle in reversed(handles)])


@workflow.defn(name="compensation")
class Compensation:
    """One activity is tried twice, the next one is refused, the last one makes up for it."""

    @workflow.run
    async def run(self, order: str) -> str:
        quickly = RetryPolicy(initial_interval=timedelta(milliseconds=10))
        await workflow.execute_activity(program_flaky, order, start_to_close_timeout=LONG, retry_policy=quickly)
        try:
            return await workflow.execute_activity(program_refuse, order, start_to_close_timeout=LONG)
        except ActivityError as error:
            undone = await workflow.execute_activity(program_echo, f"undo {order}", start_to_close_timeout=LONG)
            assert isinstance(error.cause, ApplicationError)
            return f"{error.cause.message}: {undone}"


@workflow.defn(name="failing")
class Failing:
    """Fails after a timer."""

    @workflow.run
    async def run(self, message: str) -> None:
        await asyncio.sleep(0.01)
        raise ApplicationError(message, "detail", type="Failing", non_retryable=True) from ApplicationError(
            "the cause", type="Cause"
        )


@workflow.defn(name="clean_up")
class CleanUp:
    """Sleeps until it is cancelled, and cleans up then."""

    @workflow.run
    async def run(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await workflow.execute_activity(program_echo, "clean", start_to_close_timeout=LONG)
            raise


@workflow.defn(name="cancel_activities")
class CancelActivities:
    """Cancels three activities that run, in three ways."""

    def __init__(self) -> None:
        self.begun = 0

    @workflow.run
    async def run(self) -> list[str]:
        handles = [
            workflow.start_activity(
                program_wait,
                kind.name,
                start_to_close_timeout=LONG,
                heartbeat_timeout=timedelta(seconds=10),
                cancellation_type=kind,
            )
            for kind in (
                ActivityCancellationType.TRY_CANCEL,
                ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                ActivityCancellationType.ABANDON,
            )
        ]
        await workflow.wait_condition(lambda: self.begun == 3)
        for handle in handles:
            handle.cancel()
        outcomes = []
        for handle in handles:
            try:
                outcomes.append(await handle)
            except ActivityError as error:
                outcomes.append("cancelled" if isinstance(error.cause, CancelledError) else str(error.cause))
        return outcomes

    @workflow.signal(name="begun")
    def begin(self, name: str) -> None:
        self.begun += 1


@workflow.defn(name="rounds")
class Rounds:
    """Goes on as a new run until no round is left."""

    @workflow.run
    async def run(self, left: int) -> str:
        await asyncio.sleep(0.01)
        if left > 0:
            workflow.continue_as_new(left - 1)
        return "done"


@workflow.defn(name="timeouts")
class Timeouts:
    """One activity that no worker takes, and one that takes too long."""

    @workflow.run
    async def run(self) -> list[str]:
        once = RetryPolicy(maximum_attempts=1)
        outcomes = []
        try:
            await workflow.execute_activity(
                program_echo,
                "lost",
                task_queue=f"{workflow.info().task_queue}-nobody",
                schedule_to_start_timeout=timedelta(milliseconds=100),
                start_to_close_timeout=LONG,
                retry_policy=once,
            )
        except ActivityError as error:
            outcomes.append(timeout_type(error))
        try:
            await workflow.execute_activity(
                program_wait, "slow", start_to_close_timeout=timedelta(milliseconds=300), retry_policy=once
            )
        except ActivityError as error:
            outcomes.append(timeout_type(error))
        return outcomes

    @workflow.signal(name="begun")
    def begin(self, name: str) -> None:
        pass


def timeout_type(error: ActivityError) -> str:
    assert isinstance(error.cause, TemporalTimeoutError) and error.cause.type is not None
    return error.cause.type.name


@workflow.defn(name="greeting")
class ChangedGreeting(Greeting):
    """A greeting that sleeps first: it does not agree with any history of ``greeting``."""

    @workflow.run
    async def run(self, greeting: GreetingInput) -> str:
        await asyncio.sleep(1)
        return await super().run(greeting)


ACTIVITIES = [compose_greeting, program_echo, program_flaky, program_refuse, program_wait]
WORKFLOWS = [
    Greeting,
    Approvals,
    Timers,
    FanOut,
    Compensation,
    Failing,
    CleanUp,
    CancelActivities,
    Rounds,
    Timeouts,
]
CHANGED_WORKFLOWS = [ChangedGreeting]
