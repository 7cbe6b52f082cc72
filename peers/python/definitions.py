"""The activities and workflows of the Python peer.

``greeting`` is the same program as the one in ``examples/greeting-workflow-worker``, command for command, so that each
side can replay what the other recorded. Whoever changes one changes both.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

GREETINGS = {"de": "Guten Tag, {}!", "en": "Hello, {}!", "fr": "Bonjour, {} !"}


@dataclass
class GreetingInput:
    """Input of the activity ``compose_greeting`` and of the workflow ``greeting``."""

    name: str
    language: str


@dataclass
class PythonGreetingInput:
    """Input of ``PythonGreeting``: a greeting, and the Task Queue whose worker composes it."""

    name: str
    language: str
    activity_task_queue: str


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
async def echo(value: Any) -> Any:
    """Whatever came in."""
    return value


@activity.defn
async def fail_with_details(message: str) -> None:
    """Fails with everything that a failure can carry across: type, details, non-retryable, and a cause."""
    raise ApplicationError(
        message, "first detail", {"attempt": activity.info().attempt}, type="PythonFailure", non_retryable=True
    ) from ApplicationError("the cause of it", 42, type="PythonCause")


@workflow.defn(name="greeting")
class Greeting:
    """Our own greeting workflow, written in Python."""

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


@workflow.defn
class PythonGreeting:
    """Calls the activity ``compose_greeting`` of another worker, ours for example."""

    @workflow.run
    async def run(self, greeting: PythonGreetingInput) -> str:
        return await workflow.execute_activity(
            compose_greeting,
            GreetingInput(greeting.name, greeting.language),
            task_queue=greeting.activity_task_queue,
            start_to_close_timeout=timedelta(seconds=10),
        )


@workflow.defn
class PythonFailing:
    """Fails with everything that a failure can carry across."""

    @workflow.run
    async def run(self, message: str) -> None:
        raise ApplicationError(
            message, "first detail", {"workflow": "PythonFailing"}, type="PythonFailure", non_retryable=True
        ) from ApplicationError("the cause of it", 42, type="PythonCause")


ACTIVITIES = [compose_greeting, echo, fail_with_details]
WORKFLOWS = [Greeting, PythonGreeting, PythonFailing]
