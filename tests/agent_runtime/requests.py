"""Requests made from the descriptors: what holds for every rpc is tested on every rpc."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from tests.agent_runtime.serving import Metadata, Runtime
from turnpike.api.agent_runtime.v1 import (
    agent_service_pb2,
    approval_service_pb2,
    model_service_pb2,
    skill_service_pb2,
    thread_service_pb2,
    turn_service_pb2,
)

_FILES = (
    agent_service_pb2,
    approval_service_pb2,
    model_service_pb2,
    skill_service_pb2,
    thread_service_pb2,
    turn_service_pb2,
)

# Lists of what has a shape of its own, which no text by its name can fill.
_SHAPED = frozenset({"rules"})

METHODS: list[MethodDescriptor] = [
    method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]

NAMES = [f"{method.containing_service.name}/{method.name}" for method in METHODS]


@dataclass(frozen=True)
class Texts:
    """What the strings of a request are, by their fields' names."""

    by_name: Mapping[str, str]

    def request(self, method: MethodDescriptor, *, last_choice: bool = False) -> Message:
        """Returns a request whose every field is set.

        Args:
            method: Whose request.
            last_choice: Which field of a oneof is set, the first or the last.
        """
        request = message_factory.GetMessageClass(method.input_type)()
        self._fill(request, last_choice)
        return request

    def _fill(self, message: Message, last_choice: bool) -> None:
        descriptor: Any = message.DESCRIPTOR
        for field in _fields(descriptor, last_choice):
            if field.message_type is None:
                self._set(message, field)
            elif field.message_type.GetOptions().map_entry:
                getattr(message, field.name)[self._text("key")] = self._text("value")
            elif field.name in _SHAPED:
                continue
            elif field.message_type.full_name.startswith("turnpike."):
                inner = getattr(message, field.name)
                self._fill(inner.add() if field.is_repeated else inner, last_choice)

    def _set(self, message: Message, field: FieldDescriptor) -> None:
        if field.type != FieldDescriptor.TYPE_STRING:
            return
        text = self._text(field.name)
        if not field.is_repeated:
            setattr(message, field.name, text)
        elif text:
            getattr(message, field.name).append(text)

    def _text(self, field: str) -> str:
        return self.by_name.get(field, "")


def string_fields(method: MethodDescriptor) -> list[str]:
    """Returns the names of all string fields in a method's request."""
    return sorted(set(_strings(method.input_type)))


async def call(
    runtime: Runtime, method: MethodDescriptor, request: Message | bytes, metadata: Metadata
) -> Message:
    """Calls a method, and returns its response; of a stream, the first one."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    response: Any = message_factory.GetMessageClass(method.output_type)
    body = request if isinstance(request, bytes) else request.SerializeToString()
    if not method.server_streaming:
        unary: Any = runtime.channel.unary_unary(path, None, response.FromString)
        return await unary(body, metadata=metadata, timeout=30)
    opening: Any = runtime.channel.unary_stream(path, None, response.FromString)
    stream: Any = opening(body, metadata=metadata, timeout=30)
    try:
        first = await stream.read()
        if first is grpc.aio.EOF:
            raise AssertionError("the stream ended without a word")
        return first
    finally:
        stream.cancel()


def _fields(descriptor: Descriptor, last_choice: bool) -> Iterator[FieldDescriptor]:
    for field in descriptor.fields:
        choice = field.containing_oneof
        # `optional` makes a oneof of one field, whose name begins so.
        if (
            choice is None
            or choice.name.startswith("_")
            or field is choice.fields[-1 if last_choice else 0]
        ):
            yield field


def _strings(descriptor: Descriptor) -> Iterator[str]:
    for field in descriptor.fields:
        if field.message_type is not None:
            if field.message_type.full_name.startswith("turnpike."):
                yield from _strings(field.message_type)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield field.name
