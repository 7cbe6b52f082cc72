"""Failures as JSON, in the same form as our tests write ours: a list with one object for each level, the outermost first.

Bytes are ``{"$bytes": "<hex>"}``, here and wherever this peer reads or writes JSON.
"""

from typing import Any

from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError, TerminatedError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError


def levels(error: BaseException | None) -> list[dict[str, Any]]:
    """The error, its cause, its cause's cause, ..., each with all that its kind carries."""
    found = []
    while error is not None:
        found.append(level(error))
        error = error.__cause__
    return found


def level(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, FailureError):
        return {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, ApplicationError):
        delay = error.next_retry_delay
        return {
            "kind": "application",
            "message": error.message,
            "type": error.type or None,
            "details": [to_json(detail) for detail in error.details],
            "non_retryable": error.non_retryable,
            "next_retry_delay": None if delay is None else delay.total_seconds(),
            "category": error.category.name,
        }
    if isinstance(error, ActivityError):
        return {
            "kind": "activity",
            "message": error.message,
            "activity_type": error.activity_type,
            "activity_id": error.activity_id,
            "retry_state": error.retry_state and error.retry_state.name,
        }
    if isinstance(error, TemporalTimeoutError):
        return {
            "kind": "timeout",
            "message": error.message,
            "timeout_type": error.type and error.type.name,
            "last_heartbeat_details": [to_json(detail) for detail in error.last_heartbeat_details],
        }
    if isinstance(error, CancelledError):
        return {
            "kind": "cancelled",
            "message": error.message,
            "details": [to_json(detail) for detail in error.details],
        }
    if isinstance(error, TerminatedError):
        return {"kind": "terminated", "message": error.message}
    return {"kind": type(error).__name__, "message": error.message}


def to_json(value: Any) -> Any:
    """The value with each ``bytes`` in it replaced."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, list):
        return [to_json(element) for element in value]
    if isinstance(value, dict):
        return {key: to_json(element) for key, element in value.items()}
    return value


def from_json(value: Any) -> Any:
    """The argument that the value stands for. Only a whole argument can be bytes, as only a whole Payload can."""
    if isinstance(value, dict) and value.keys() == {"$bytes"}:
        return bytes.fromhex(value["$bytes"])
    return value
