"""The activities that the recorded workflows call, the same in every peer."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError


@activity.defn
async def echo(value: str) -> str:
    """What came in."""
    return value


@activity.defn
async def nothing() -> None:
    """Takes nothing and gives nothing."""


@activity.defn
async def wait_ms(milliseconds: int) -> int:
    """What came in, after so long."""
    await asyncio.sleep(milliseconds / 1000)
    return milliseconds


@activity.defn
async def fail_until(attempt: int) -> int:
    """Fails up to this attempt, which gives its number."""
    if activity.info().attempt < attempt:
        raise ApplicationError("not yet", type="NotYet")
    return attempt


@activity.defn
async def refuse(reason: str) -> str:
    """Fails for good."""
    raise ApplicationError(f"refused: {reason}", type="Refused", non_retryable=True)


@activity.defn
async def until_cancelled() -> str:
    """Works until it is cancelled, and ends as cancelled."""
    while True:
        if not activity.info().is_local:
            activity.heartbeat()
        await asyncio.sleep(0.05)


ACTIVITIES = [echo, nothing, wait_ms, fail_until, refuse, until_cancelled]
