"""What is in requests, as words of a conversation."""

import re

import temporalio.api.common.v1 as common
import temporalio.api.enums.v1 as enums
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
