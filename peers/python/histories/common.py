"""What the recorded workflows share."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

LONG = timedelta(seconds=60)


class Timer:
    """A timer that starts where it is written; ``asyncio.sleep`` starts when a task first runs it."""

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self.fired: asyncio.Future[None] = loop.create_future()
        self.handle = loop.call_later(seconds, self.fired.set_result, None)

    def cancel(self) -> None:
        self.handle.cancel()
        self.fired.cancel()


def start(name: str, *arguments: Any, **options: Any) -> workflow.ActivityHandle[Any]:
    """Starts an activity that may take long."""
    return workflow.start_activity(name, args=arguments, **{"start_to_close_timeout": LONG, **options})


def start_local(name: str, *arguments: Any, **options: Any) -> workflow.ActivityHandle[Any]:
    """Starts a Local Activity that may take long."""
    return workflow.start_local_activity(name, args=arguments, **{"start_to_close_timeout": LONG, **options})


async def outcome(operation: Awaitable[Any]) -> str:
    """Waits, and says how it went: ``completed``, ``cancelled``, or ``failed``."""
    try:
        await operation
    except (FailureError, asyncio.CancelledError) as error:
        return "cancelled" if is_cancelled_exception(error) else "failed"
    return "completed"
