"""Checking requests against the constraints in their .proto files."""

from collections.abc import Callable
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from turnpike.rpc.errors import FieldViolation, InvalidArgumentError


class UnreadableRequest:
    """Stands for bytes that are no message of the method, such as a text that is no UTF-8."""


def reading(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Returns a deserializer that gives an `UnreadableRequest` where `deserialize` raises.

    gRPC would answer UNKNOWN, with the parser's words, before anybody of ours hears of it.
    """

    def read(document: bytes) -> Any:
        try:
            return deserialize(document)
        except DecodeError:
            return UnreadableRequest()

    return read


def check_request(request: object) -> None:
    """Returns if a request keeps its constraints; else raises `InvalidArgumentError`.

    A stream of requests is not checked.
    """
    if isinstance(request, UnreadableRequest):
        raise InvalidArgumentError("request", "is no message of this method")
    if not isinstance(request, Message):
        return
    violations = protovalidate.collect_violations(request)
    if violations:
        (path, message), *others = [_described(violation) for violation in violations]
        raise InvalidArgumentError(path, message, *others)


def _described(violation: protovalidate.Violation) -> FieldViolation:
    path = violation.proto.field
    elements = path.elements if path is not None else []
    return ".".join(_named(element) for element in elements), violation.proto.message


def _named(element: protovalidate.FieldPathElementPb) -> str:
    if element.subscript is None:
        return element.field_name
    subscript = element.subscript.value
    shown = f'"{subscript}"' if isinstance(subscript, str) else str(subscript)
    return f"{element.field_name}[{shown}]"
