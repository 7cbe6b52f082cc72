"""The same workflows as in ``crates/timewright/tests/operations``, in ``python.rs`` and ``messages.rs``, command for command, so
that each side can replay what the other recorded: a patch, Local Activities, a child, Updates, handlers that come later.
"""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

LOCAL = {
    "start_to_close_timeout": timedelta(seconds=40),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1.0),
}


@activity.defn(name="Echo")
async def echo(text: str) -> str:
    """What came in."""
    return text


@activity.defn(name="Flaky")
async def flaky(good: int) -> int:
    """Fails until this attempt, which it gives."""
    attempt = activity.info().attempt
    if attempt < good:
        raise ApplicationError(f"not at attempt {attempt}", type="NotYet")
    return attempt


@workflow.defn(name="operations_child")
class OperationsChild:
    @workflow.run
    async def run(self, text: str) -> str:
        return text + "!"


@workflow.defn(name="operations")
class Operations:
    """A patch, a Local Activity with short and with long pauses, a child, and an Update that executes a Local Activity."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        words = []
        if workflow.patched("greets"):
            words.append(await workflow.execute_local_activity(echo, "hello", **LOCAL))
        words.append(str(await workflow.execute_local_activity(flaky, 2, **LOCAL)))
        await workflow.wait_condition(lambda: len(self.words) >= 1)
        over_timer = timedelta(milliseconds=10)
        words.append(str(await workflow.execute_local_activity(flaky, 2, **LOCAL, local_retry_threshold=over_timer)))
        child_id = f"{workflow.info().workflow_id}-child"
        words.append(await workflow.execute_child_workflow(OperationsChild.run, "child", id=child_id))
        await workflow.wait_condition(lambda: len(self.words) >= 2)
        return words + self.words

    @workflow.update
    async def say(self, word: str) -> str:
        word = await workflow.execute_local_activity(echo, word, **LOCAL)
        self.words.append(word)
        return word


@workflow.defn(name="operations")
class ChangedOperations(Operations):
    """Without the patch."""

    @workflow.run
    async def run(self) -> list[str]:
        words = [str(await workflow.execute_local_activity(flaky, 2, **LOCAL))]
        await workflow.wait_condition(lambda: len(self.words) >= 2)
        return words + self.words


@workflow.defn(name="form")
class Form:
    """Learns from its input what it handles: an Update at once, Signals after a while."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    @workflow.run
    async def run(self, questions: list[str]) -> list[str]:
        workflow.set_update_handler("note", self.note)
        await workflow.sleep(timedelta(milliseconds=200))
        for question in questions:
            workflow.set_signal_handler(question, self.handler(question))
        await workflow.wait_condition(lambda: len(self.answers) > len(questions))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.answers

    def note(self, note: str) -> str:
        self.answers.append(note)
        return note

    def handler(self, question: str):
        """Handles the Signal of this name."""

        async def handle(answer: str) -> None:
            answer = await workflow.execute_activity(echo, answer, start_to_close_timeout=timedelta(seconds=40))
            self.answers.append(f"{question}: {answer}")

        return handle


@workflow.defn(name="form")
class ChangedForm(Form):
    """Does not wait for its handlers to be there."""

    @workflow.run
    async def run(self, questions: list[str]) -> list[str]:
        for question in questions:
            workflow.set_signal_handler(question, self.handler(question))
        workflow.set_update_handler("note", self.note)
        await workflow.wait_condition(lambda: len(self.answers) > len(questions))
        return self.answers


ACTIVITIES = [echo, flaky]
WORKFLOWS = [Form, Operations, OperationsChild]
CHANGED_WORKFLOWS = [ChangedForm, ChangedOperations, OperationsChild]
