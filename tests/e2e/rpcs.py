"""Every rpc of every service, from the descriptors, with a request that is right for it.

No list says which services there are: whoever adds an rpc finds it asked by a stranger, by a
viewer and by nobody. Requests are filled in by the names of their fields; `SHAPED` has what
cannot be told from a name.
"""

import importlib
import pkgutil
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import turnpike.api
from tests.channels import channel_to

Metadata = tuple[tuple[str, str], ...]
Values = Mapping[str, Any]

# What is needed beside what is named, so that nothing but the caller is wrong.
FIXED: dict[str, Any] = {
    "attempt": 1,
    "by": 1,
    "change": 1,
    "chunk": "YQ==",
    "content": "YQ==",
    "definition_digest": "d",
    "digest": "d",
    "fence": 1,
    "field": "x",
    "generation": 1,
    "headers": {"authorization": "Bearer theirs"},
    "lifetime": "60s",
    "limit_micro_usd": 1,
    "mode": 1,
    "old_text": "a",
    "query": "hello",
    "redirect_uri": "https://example.com/callback",
    "resolution": 1,
    "revision": 1,
    "role": 1,
    "segment": 1,
    "snapshot": "YQ==",
    "state": "s" * 32,
    "step": 1,
    "text": "hello",
    "tier": 1,
    "timeout": "1s",
    "transport": 1,
}
_TURN = {"agent": "{agent}", "input": [{"text": "hello"}]}
_AGENT = {"name": "{agent}", "spec": {"model": "scripted"}}
_MODEL = {"name": "{agent}", "provider": "openai", "model": "m", "base_url": "{url}"}
_SKILL = {"name": "{skill}", "description": "n", "instructions": "n"}
_ISSUER = {"name": "{agent}", "issuer": "https://example.com", "audience": "n"}
_KEY = {"name": "{agent}", "provider": "openai", "api_key": "k"}
_NEW = {"name": "{new}"}
_DECISION = {"call_id": "call_1_0", "kind": 1}
SHAPED: dict[str, Any] = {
    "CreateAgent": {"agent": {**_AGENT, **_NEW}},
    "UpdateAgent": {"agent": _AGENT},
    "Decide": {"approval": "{nothing}", "decisions": [_DECISION]},
    "StreamCompletion": {"model": "{agent}", "messages": ['{{"role":"user","content":"hello"}}']},
    "AskPlanner": {"instructions": "n", "text": "n", "max_output_tokens": 1},
    "UploadFile": {"header": {"name": "a.txt"}},
    "CreateSkill": {"skill": {**_SKILL, **_NEW}},
    "UpdateSkill": {"skill": _SKILL},
    "CreateModel": {"model": {**_MODEL, **_NEW}},
    "UpdateModel": {"model": _MODEL},
    "UpdatePolicy": {"tenant": {}},
    "Explain": {"agent": "{agent}", "tool": "effects/peek", "arguments": "{{}}"},
    "CreateProviderKey": {"provider_key": {**_KEY, **_NEW}},
    "UpdateProviderKey": {"provider_key": _KEY},
    "CreateThread": {"thread": {}},
    "StartTurn": _TURN,
    "RunTurn": {"start": _TURN},
    "CreateCollection": {"collection": _NEW},
    "UpdateCollection": {"collection": {"name": "{collection}"}},
    "PutDocument": {"collection": "{collection}", "path": "/b.md", "content": "YQ=="},
    "UploadDocument": {"header": {"document": {"collection": "{collection}", "path": "/c.md"}}},
    "MoveDocument": {"collection": "{collection}", "path": "/a.md", "new_path": "/b.md"},
    "RevertChanges": {"collection": "{collection}", "change": "1"},
    "Chunk": {"text": "hello"},
    "Embed": {"input": ["hello"]},
    "EmbedStream": {"embed": {"input": ["hello"]}},
    "Search": {"query": "hello"},
    "CreateServiceAccount": {"name": "n", "role": 2},
    "UpdatePrincipal": {"id": "{principal}", "role": 2},
    "CreateIssuer": {"issuer": {**_ISSUER, **_NEW}},
    "UpdateIssuer": {"issuer": _ISSUER},
    "CreateTenant": {"name": "n"},
    "CreateApiKey": {"name": "n", "role": 1},
    "CreateBan": {"email": "nobody@example.com"},
    "Authenticate": {"credential": "tp_nobody"},
    "ReportUsage": {},
    "ListUsage": {},
    "ForgetTurns": {"turns": ["{turn}"]},
    "Heartbeat": {"replica": "{nothing}"},
    "Settle": {
        **{"turn": "{turn}", "tenant": "{tenant}", "segment": 1, "snapshot": "YQ=="},
        "usage": [{"step": 1, "call": 1, "attempt": 1, "kind": 1, "model": "m"}],
    },
    "CreateConnector": {"connector": {**_NEW, "transport": 1, "url": "{url}"}},
    "UpdateConnector": {"connector": {"name": "effects", "transport": 1, "url": "{url}"}},
    "ProbeConnector": {"connector": {"name": "n", "transport": 1, "url": "{url}"}},
    "UpdatePlan": {"plan": {"name": "n", "tier": 1}},
    "UpdateBudget": {"budget": {"name": "{budget}", "limit_micro_usd": "1"}},
    "UpdateTool": {"name": "effects/peek", "disabled": True},
    "ApproveTool": {"name": "effects/peek", "digest": "d"},
    "SetVariable": {"variable": {"name": "new", "scope": 1, "value": "v"}},
}


@dataclass(frozen=True)
class Rpc:
    """One rpc, and the service whose processes answer it."""

    service: str
    method: MethodDescriptor

    @property
    def name(self) -> str:
        """Its name, `Service/Method`."""
        return f"{self.method.containing_service.name}/{self.method.name}"

    def request(self, ours: Values) -> Message:
        """Returns a request that names what is ours."""
        shaped = SHAPED.get(self.method.name)
        fields = filled(self.method.input_type, ours) if shaped is None else named(shaped, ours)
        return ParseDict(fields, GetMessageClass(self.method.input_type)())

    async def answer(
        self, address: str, request: Message, metadata: Metadata
    ) -> Message | grpc.StatusCode:
        """Returns what it answers; of a stream the first, or OK for an empty one."""
        path = f"/{self.method.containing_service.full_name}/{self.method.name}"
        parse = GetMessageClass(self.method.output_type).FromString
        write = type(request).SerializeToString
        async with channel_to(address) as channel:
            kind = "_".join(
                "stream" if streams else "unary"
                for streams in (self.method.client_streaming, self.method.server_streaming)
            )
            make: Any = getattr(channel, kind)(path, write, parse)
            asked = _once(request) if self.method.client_streaming else request
            call = make(asked, metadata=metadata, timeout=30)
            try:
                return await _first(call) if self.method.server_streaming else await call
            except grpc.aio.AioRpcError as error:
                return error.code()
            finally:
                call.cancel()


async def _once(request: Message) -> AsyncGenerator[Message]:
    yield request


async def _first(call: Any) -> Message | grpc.StatusCode:
    async for message in call:
        return message
    return grpc.StatusCode.OK


@cache
def every_rpc() -> list[Rpc]:
    """Returns every rpc of every package of the API."""
    return [
        Rpc(package.name.replace("_", "-"), method)
        for package in pkgutil.iter_modules(turnpike.api.__path__)
        for module in _modules(f"{turnpike.api.__name__}.{package.name}.v1")
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def _modules(package: str) -> list[Any]:
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return [
        importlib.import_module(f"{package}.{each.name}")
        for each in found
        if each.name.endswith("_service_pb2")
    ]


def named(shape: Any, ours: Values) -> Any:
    """Returns a shape with what is ours in its gaps."""
    if isinstance(shape, dict):
        return {name: named(value, ours) for name, value in shape.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(shape, list):
        return [named(value, ours) for value in shape]  # pyright: ignore[reportUnknownVariableType]
    return shape.format_map(ours) if isinstance(shape, str) else shape


def filled(kind: Descriptor, ours: Values) -> dict[str, Any]:
    """Returns a request's fields by their names, and those of the messages in it."""
    values: dict[str, Any] = {**FIXED, **ours}
    noun = _noun_of(kind.name)
    values |= {"id": ours.get(noun, ours["nothing"]), "name": ours.get(noun, ours["agent"])}
    return {
        field.name: _value(field, values, ours)
        for field in kind.fields
        if _is_wanted(field, values)
    }


def _value(field: FieldDescriptor, values: Values, ours: Values) -> Any:
    if field.message_type is None or field.name in values:
        value = values[field.name]
        return [value] if field.is_repeated and not isinstance(value, dict) else value
    return filled(field.message_type, ours)


def _is_wanted(field: FieldDescriptor, values: Values) -> bool:
    choice = field.containing_oneof
    if choice is not None and not choice.name.startswith("_") and field is not choice.fields[0]:
        return False
    if field.message_type is not None and field.name not in values:
        return field.message_type.full_name.startswith("turnpike.") and not field.is_repeated
    if field.message_type is not None:
        return True
    # One that only has the name of one of ours, such as a number of a version.
    is_text = isinstance(values.get(field.name), str)
    return field.name in values and is_text == (field.cpp_type == FieldDescriptor.CPPTYPE_STRING)


def _noun_of(name: str) -> str:
    """Returns what a request is about, such as `thread`."""
    nouns = (
        *("collection", "document", "variable", "plan", "subscription", "agent", "model", "skill"),
        *("thread", "turn", "connector", "key", "ban", "budget", "file", "principal"),
    )
    return next((noun for noun in nouns if noun in name.lower()), "nothing")
