"""What the Python peer offers to our callers, and calls of ours: values and failures of every kind."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.workflow import ActivityCancellationType

from failures import from_json, levels, to_json

# --- Activities


@activity.defn
async def echo(value: Any) -> Any:
    """Whatever came in."""
    return value


@activity.defn
async def three(first: str, second: str | None = None, third: int | None = None) -> list[Any]:
    """What came in, and what was left out."""
    return [first, second, third]


@activity.defn
async def length(data: bytes) -> int:
    """How many bytes came in."""
    return len(data)


@activity.defn
async def nothing() -> None:
    """Takes nothing and gives nothing."""


@dataclass
class Order:
    """A value as contracts have them: nested, with things that may be missing."""

    id: int
    customer: dict[str, str]
    items: list["Item"] = field(default_factory=list)
    note: str | None = None


@dataclass
class Item:
    """A part of an Order."""

    name: str
    price: float


@activity.defn
async def cheapest(order: Order) -> Item | None:
    """The cheapest item, if there is any."""
    return min(order.items, key=lambda item: item.price, default=None)


@activity.defn
async def fail_with_details(message: str) -> None:
    """Fails with everything that a failure can carry across."""
    raise ApplicationError(
        message,
        "first detail",
        {"attempt": activity.info().attempt},
        b"\x00\x01",
        type="PythonFailure",
        non_retryable=True,
        next_retry_delay=timedelta(seconds=2.5),
        category=ApplicationErrorCategory.BENIGN,
    ) from ApplicationError("the cause of it", 42, type="PythonCause")


@activity.defn
async def fail_as_python_does(message: str) -> None:
    """Fails with exceptions that know nothing of Temporal."""
    try:
        {}["nowhere"]
    except KeyError as error:
        raise ValueError(message) from error


@activity.defn
async def stall() -> None:
    """Heartbeats once, and then never again."""
    activity.heartbeat("halfway", 7)
    await asyncio.sleep(3600)


@activity.defn
async def work_until_cancelled(name: str) -> None:
    """Says to its workflow that it has begun, and heartbeats until it is cancelled."""
    info = activity.info()
    handle = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
    await handle.signal("begun", name)
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


# --- Workflows


@dataclass
class RelayInput:
    """Which activity to call, how, and what to do with its failure. Our ``relay`` takes the same."""

    activity: str
    arguments: list[Any]
    task_queue: str
    report: bool = False
    attempts: int = 0
    start_to_close: float = 30
    heartbeat: float | None = None


@workflow.defn
class PythonRelay:
    """Calls an activity and gives its result. Where it fails: fails likewise, or, with ``report``, gives what it saw."""

    def __init__(self) -> None:
        self.has_begun = False

    @workflow.run
    async def run(self, relay: RelayInput) -> Any:
        try:
            result = await workflow.execute_activity(
                relay.activity,
                args=[from_json(argument) for argument in relay.arguments],
                task_queue=relay.task_queue,
                start_to_close_timeout=timedelta(seconds=relay.start_to_close),
                heartbeat_timeout=None if relay.heartbeat is None else timedelta(seconds=relay.heartbeat),
                retry_policy=RetryPolicy(maximum_attempts=relay.attempts),
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            return to_json(result)
        except FailureError as error:
            if relay.report:
                return levels(error)
            raise

    @workflow.signal
    def begun(self, name: str) -> None:
        self.has_begun = True

    @workflow.query
    def is_begun(self) -> bool:
        return self.has_begun


@workflow.defn
class PythonValues:
    """Gives its arguments back, after a signal has told it how: as a list, or one of them by its index."""

    def __init__(self) -> None:
        self.notes: list[list[Any]] = []

    @workflow.run
    async def run(self, first: Any, second: Any = None, third: Any = None) -> Any:
        await workflow.wait_condition(lambda: ["finish"] in (note[:1] for note in self.notes))
        index = self.notes[-1][1]
        arguments = [first, second, third]
        return arguments if index is None else arguments[index]

    @workflow.signal
    def note(self, text: str, value: Any = None) -> None:
        self.notes.append([text, value])

    @workflow.query
    def noted(self, index: int, otherwise: Any = "nothing") -> Any:
        return self.notes[index][1] if index < len(self.notes) else otherwise


@workflow.defn
class PythonFailing:
    """Fails with everything that a failure can carry across."""

    @workflow.run
    async def run(self, message: str) -> None:
        raise ApplicationError(
            message,
            "first detail",
            {"workflow": "PythonFailing"},
            type="PythonFailure",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from ApplicationError("the cause of it", 42, type="PythonCause")


@workflow.defn
class PythonTalk:
    """Hears two words. Then, if it is told of one, says them to a child of that type on that Task Queue, and waits for it."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self, child: list[str] | None) -> list[str]:
        await workflow.wait_condition(lambda: len(self.words) == 2)
        if child is not None:
            child_id = f"{workflow.info().workflow_id}-child"
            handle = await workflow.start_child_workflow(child[0], None, id=child_id, task_queue=child[1])
            for word in self.words:
                await handle.signal("say", word)
            await handle
        return self.words

    @workflow.signal
    def say(self, word: str) -> None:
        self.words.append(word)

    @workflow.update
    def add(self, word: str) -> int:
        self.words.append(word)
        return len(self.words)

    @add.validator
    def is_a_word(self, word: str) -> None:
        if not word:
            raise ValueError("no word")

    @workflow.query
    def count(self) -> int:
        return len(self.words)


@workflow.defn
class PythonSleeping:
    """Sleeps for an hour."""

    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


ACTIVITIES = [
    echo,
    three,
    length,
    nothing,
    cheapest,
    fail_with_details,
    fail_as_python_does,
    stall,
    work_until_cancelled,
]
WORKFLOWS = [PythonRelay, PythonValues, PythonFailing, PythonSleeping, PythonTalk]
