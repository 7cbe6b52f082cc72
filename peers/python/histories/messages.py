"""Signals, queries, and Updates."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from common import Timer, start, start_local


class Messages:
    """A value that Updates change, until the signal ``finish``."""

    def __init__(self) -> None:
        self.value = 0
        self.finished = False

    async def until_finished(self) -> int:
        await workflow.wait_condition(lambda: self.finished)
        return self.value

    @workflow.signal
    def finish(self) -> None:
        self.finished = True

    @workflow.signal
    async def work(self, milliseconds: int) -> None:
        """Runs an activity in the signal's handler."""
        await start("wait_ms", milliseconds)
        self.value += 1

    @workflow.query
    def current(self) -> int:
        return self.value

    @workflow.update
    def set(self, value: int) -> int:
        """Sets the value and gives the one before; refuses a negative one before it is accepted."""
        before, self.value = self.value, value
        return before

    @set.validator
    def validate_set(self, value: int) -> None:
        if value < 0:
            raise ApplicationError("negative", type="Negative")

    @workflow.update
    async def set_by_activity(self, value: int) -> int:
        self.value = await start("wait_ms", value)
        return self.value

    @workflow.update
    async def set_by_local_activity(self, value: int) -> int:
        self.value = await start_local("wait_ms", value)
        return self.value

    @workflow.update
    async def set_by_timer(self, value: int) -> int:
        await Timer(0.1).fired
        self.value = value
        return self.value

    @workflow.update
    async def refuse(self) -> int:
        """Fails once it has been accepted."""
        raise ApplicationError("refused: by the handler", type="Refused", non_retryable=True)


@workflow.defn(name="messages")
class MessagesOnly(Messages):
    """Nothing else happens."""

    @workflow.run
    async def run(self) -> int:
        return await self.until_finished()


@workflow.defn(name="messages_beside_activity")
class MessagesBesideActivity(Messages):
    """An activity of 1.5 s first."""

    @workflow.run
    async def run(self) -> int:
        await start("wait_ms", 1500)
        return await self.until_finished()


@workflow.defn(name="messages_beside_local_activity")
class MessagesBesideLocalActivity(Messages):
    """A Local Activity of 3 s first, so that messages wait for the next Workflow Task."""

    @workflow.run
    async def run(self) -> int:
        await start_local("wait_ms", 3000)
        return await self.until_finished()


@workflow.defn(name="signals")
class Signals:
    """Collects three values."""

    def __init__(self) -> None:
        self.values: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.values) == 3)
        return self.values

    @workflow.signal
    def add(self, value: str) -> None:
        self.values.append(value)


@workflow.defn(name="signals_beside_local_activity")
class SignalsBesideLocalActivity:
    """A Local Activity of 3 s, then three values."""

    def __init__(self) -> None:
        self.values: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await start_local("wait_ms", 3000)
        await workflow.wait_condition(lambda: len(self.values) == 3)
        return self.values

    @workflow.signal
    def add(self, value: str) -> None:
        self.values.append(value)


WORKFLOWS = [
    MessagesOnly,
    MessagesBesideActivity,
    MessagesBesideLocalActivity,
    Signals,
    SignalsBesideLocalActivity,
]
