"""What belongs to one tenant is not there for another: every rpc, from the descriptors."""

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from turnpike.api.agent_runtime.v1 import (
    agent_service_pb2,
    model_service_pb2,
    thread_service_pb2,
    turn_service_pb2,
)
from turnpike.api.gatekeeper.v1 import (
    account_service_pb2,
    gatekeeper_service_pb2,
    tenancy_service_pb2,
    usage_service_pb2,
)
from turnpike.api.tool_registry.v1 import (
    connector_service_pb2,
    effect_service_pb2,
    tool_call_service_pb2,
)

MODULES: dict[str, list[Any]] = {
    "agent-runtime": [
        agent_service_pb2,
        model_service_pb2,
        thread_service_pb2,
        turn_service_pb2,
    ],
    "gatekeeper": [
        account_service_pb2,
        gatekeeper_service_pb2,
        tenancy_service_pb2,
        usage_service_pb2,
    ],
    "tool-registry": [connector_service_pb2, effect_service_pb2, tool_call_service_pb2],
}
# What makes or lists the caller's own things, and has no thing of ours to name.
OWN = (
    "Create",
    "ListAgents",
    "ListModels",
    "ListThreads",
    "ListConnectors",
    "ListTools",
    "ListUnknownEffects",
    "ListApiKeys",
    "ListBans",
    "ListBudgets",
    "ListRefusals",
    "Authenticate",
    # What is probed comes with the request.
    "ProbeConnector",
    # What it names nobody else can know.
    "FinishSignIn",
    # Plans are everybody's to read.
    "GetPlan",
    "ListPlans",
)
REFUSED = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED)
# What is needed beside, so that nothing but the tenant is wrong.
FIXED: dict[str, Any] = {
    "input": [{"text": "hello"}],
    "spec": {"model": "scripted"},
    "timeout": "1s",
    "transport": 1,
    "fence": 1,
    "step": 1,
    "attempt": 1,
    "segment": 1,
    "tier": 1,
    "digest": "d",
    "generation": 1,
    "resolution": 1,
    "headers": {"authorization": "Bearer theirs"},
    "redirect_uri": "https://example.com/callback",
    "state": "s" * 32,
}
# Messages in requests, to be filled in like them.
NESTED: dict[str, Any] = {
    "start": {},
    "filter": {},
    "overrides": {},
    "subscription": {},
    "credential": {},
}
NOWHERE = "00000000-0000-4000-8000-000000000000"

Ours = dict[str, str]


def methods() -> list[tuple[str, MethodDescriptor]]:
    """Returns every rpc that could name something of ours, with its service."""
    return [
        (service, method)
        for service, modules in MODULES.items()
        for module in modules
        for described in module.DESCRIPTOR.services_by_name.values()
        for method in described.methods
        if not method.name.startswith(OWN)
    ]


def document(kind: Descriptor, ours: Ours, noun: str) -> dict[str, Any]:
    """Returns a request that names what is ours, by the names of its fields."""
    values: dict[str, Any] = {**FIXED, **ours, **NESTED, "id": ours[noun], "name": ours[noun]}
    return {
        field.name: (
            document(field.message_type, ours, noun)
            if field.message_type and field.name not in FIXED
            else values[field.name]
        )
        for field in kind.fields
        if field.name in values
        and not is_number(field, values[field.name])
        and not is_another_choice(field, values)
    }


def is_another_choice(field: FieldDescriptor, values: dict[str, Any]) -> bool:
    """Tells a field of which another choice before it is made already."""
    choice = field.containing_oneof
    named = [each for each in choice.fields if each.name in values] if choice else []
    return bool(named) and named[0].name != field.name


def is_number(field: FieldDescriptor, value: Any) -> bool:
    """Tells a field that only has the name of one of ours, such as a number of a version."""
    numbers = {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
        FieldDescriptor.CPPTYPE_ENUM,
    }
    return isinstance(value, str) and field.cpp_type in numbers


def noun_of(method: MethodDescriptor) -> str:
    """Returns what an rpc is about, such as `thread`."""
    name = method.name
    nouns = ("agent", "model", "thread", "turn", "connector", "key", "ban", "call", "budget")
    return next((noun for noun in nouns if noun in name.lower()), "turn")


@pytest.fixture
async def ours(edge: Edge, agent: MakeAgent) -> Ours:
    """The ids and names of things of the first tenant."""
    name = await agent("n=1")
    turn = await edge.start(name)
    await edge.read(turn["id"])
    key = (await edge.call("GET", "/keys"))["keys"][0]
    budget = f"agent.{name}.total"
    await edge.call("PUT", f"/budgets/{budget}", {"limit_micro_usd": 10**15})
    return {
        "turn": turn["id"],
        "thread": turn["thread"],
        "agent": name,
        "model": name,
        "version": turn["agent_version"],
        "connector": "effects",
        "key": key["id"],
        "ban": NOWHERE,
        "call": turn["id"],
        "effect": f"{turn['id']}:1:0",
        "tenant": key["principal"]["tenant"],
        "principal": key["principal"]["id"],
        "plan": name,
        "budget": budget,
        "replica": NOWHERE,
        "tool": "effects/peek",
        "arguments": "{}",
        "url": "http://127.0.0.1:1/mcp",
    }


async def test_nothing_of_ours_is_there_for_a_stranger(
    suite: Suite, edge: Edge, stranger: Edge, ours: Ours
):
    before = (await edge.turn(ours["turn"]), await edge.messages(ours["thread"]))
    codes: dict[str, grpc.StatusCode] = {}

    for service, method in methods():
        named = document(method.input_type, ours, noun_of(method))
        request: Message = ParseDict(named, GetMessageClass(method.input_type)())
        address = suite.of(service)[0].address
        codes[method.full_name] = await answer_to(address, method, request, stranger)

    assert len(codes) > 20
    assert {name: code for name, code in codes.items() if code not in REFUSED} == {}
    assert (await edge.turn(ours["turn"]), await edge.messages(ours["thread"])) == before


async def answer_to(
    address: str, method: MethodDescriptor, request: Message, caller: Edge
) -> grpc.StatusCode:
    """Returns the status of a call by somebody."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = (("authorization", caller.http.headers["authorization"]),)
    parse = GetMessageClass(method.output_type).FromString
    write = type(request).SerializeToString
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            if method.server_streaming:
                make = channel.unary_stream(path, write, parse)
                async for _ in make(request, metadata=metadata, timeout=10):
                    break
            else:
                await channel.unary_unary(path, write, parse)(
                    request, metadata=metadata, timeout=10
                )
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK
