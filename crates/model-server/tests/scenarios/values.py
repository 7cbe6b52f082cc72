"""Values as words of a conversation: those that requests are made of, and those that answers show."""

import re

import temporalio.api.common.v1 as common
import temporalio.api.enums.v1 as enums
import temporalio.api.failure.v1 as failure_v1
from google.protobuf.duration_pb2 import Duration


def payload(text):
    return common.Payload(metadata={"encoding": b"json/plain"}, data=f'"{text}"'.encode())


def payloads(text):
    return common.Payloads(payloads=[payload(text)])


def duration(text):
    number, unit = re.fullmatch(r"(-?\d+)(ms|s|m)", text).groups()
    result = Duration()
    result.FromMilliseconds(int(number) * {"ms": 1, "s": 1_000, "m": 60_000}[unit])
    return result


def upper_case(text):
    return text.upper().replace("-", "_")


def enum_name(kind, value):
    name = getattr(enums, kind).Name(value)
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).upper() + "_"
    return name.removeprefix(prefix)


def camel_case(text):
    return "".join(word.capitalize() for word in text.split("_"))


def id_of(text):
    return "" if text == "-" else text


def failure(message, non_retryable=False):
    info = failure_v1.ApplicationFailureInfo(type="T", non_retryable=non_retryable)
    return failure_v1.Failure(message=message, application_failure_info=info)


def failure_text(failed):
    kind = failed.WhichOneof("failure_info")
    text = failed.message
    if kind == "application_failure_info" and failed.application_failure_info.non_retryable:
        text += " non-retryable"
    elif kind == "timeout_failure_info":
        timeout = failed.timeout_failure_info.timeout_type
        text += " timeout=" + camel_case(enum_name("TimeoutType", timeout))
    elif kind == "server_failure_info":
        text = "server: " + text
    if failed.HasField("cause"):
        text += f" cause=({failure_text(failed.cause)})"
    return f"({text})"


def payloads_text(values):
    return ",".join(value.data.decode().strip('"') for value in values.payloads)


def duration_text(milliseconds):
    if milliseconds and milliseconds % 60_000 == 0:
        return f"{milliseconds // 60_000}m"
    return f"{milliseconds}ms" if milliseconds % 1_000 else f"{milliseconds // 1_000}s"
