"""Values as words of a conversation: those that requests are made of, and those that answers show."""

import re

import temporalio.api.common.v1 as common
import temporalio.api.enums.v1 as enums
import temporalio.api.failure.v1 as failure_v1
from google.protobuf.duration_pb2 import Duration

# The server fires timers up to about this much late.
LATENESS = 0.35


class Words:
    def __init__(self, text):
        self.verb, *words = text.split()
        self.plain = [word for word in words if "=" not in word]
        self.options = dict(word.split("=", 1) for word in words if "=" in word)

    def first(self, default=""):
        return self.plain[0] if self.plain else default

    def get(self, key, default=""):
        return self.options.get(key, default)

    def set_durations(self, message, keys, prefix=""):
        for key in keys:
            if key in self.options:
                field = prefix + key.replace("-", "_")
                if not prefix:
                    field += "_timeout"
                getattr(message, field).CopyFrom(duration(self.options[key]))


def payload(text):
    return common.Payload(metadata={"encoding": b"json/plain"}, data=f'"{text}"'.encode())


def value_of(words):
    """Of a search attribute or a field: `v` unless the words say another."""
    if "null" in words.plain:
        return common.Payload(metadata={"encoding": b"binary/null"})
    if "size" in words.options:
        data = '["' + "x" * (int(words.get("size")) - 4) + '"]'
    else:
        data = words.get("value", '"v"')
    return common.Payload(metadata={"encoding": b"json/plain"}, data=data.encode())


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


def payload_text(value):
    return value.data.decode().strip('"')


def payloads_text(values):
    return ",".join(map(payload_text, values.payloads))


def duration_text(milliseconds):
    if milliseconds and milliseconds % 60_000 == 0:
        return f"{milliseconds // 60_000}m"
    return f"{milliseconds}ms" if milliseconds % 1_000 else f"{milliseconds // 1_000}s"
