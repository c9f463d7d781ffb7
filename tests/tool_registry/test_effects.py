"""The effect ledger's other ends: people who settle, tasks that go on, questions, progress."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.doubles.scripted_mcp import (
    Called,
    ScriptedServer,
    said,
    tool,
)
from tests.tool_registry.serving import Registry, Tenant, text_of, timed_out
from tests.waiting import refusal
from turnpike.api.tool_registry.v1 import effect_service_pb2 as effects_pb
from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as calls_pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import EffectServiceStub

SUCCEEDED = tool_pb2.CALL_STATUS_SUCCEEDED
DONE = calls_pb.RESOLUTION_DONE
NOT_DONE = calls_pb.RESOLUTION_NOT_DONE
RUN_AGAIN = calls_pb.RESOLUTION_RUN_AGAIN


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    return ScriptedServer([tool("work"), tool("safe", annotations={"idempotentHint": True})])


def resolution(
    request: calls_pb.RunCallRequest, verdict: Any, generation: int = 1, **others: Any
) -> calls_pb.ResolveCallRequest:
    others.setdefault("principal", "anna")
    return calls_pb.ResolveCallRequest(
        turn=request.turn,
        fence=request.fence,
        step=request.step,
        ordinal=request.ordinal,
        generation=generation,
        resolution=verdict,
        timeout=timedelta(seconds=30),
        **others,
    )


async def resolve(tenant: Tenant, request: calls_pb.ResolveCallRequest) -> tool_pb2.Call:
    stub = tenant.registry.calls
    return (await stub.ResolveCall(request, metadata=tenant.as_service())).call


async def unknown(
    tenant: Tenant, server: ScriptedServer, principal: str = ""
) -> calls_pb.RunCallRequest:
    """Returns a call whose outcome nobody knows."""

    async def hang_up(_: Called) -> dict[str, Any]:
        for connection in server.called_on:
            connection.cut()
        await asyncio.Event().wait()
        return {}

    answer, server.answer = server.answer, hang_up
    request = await tenant.ask("effects/work")
    request.principal = principal
    call = await tenant.run(request)
    assert (call.status, call.generation) == (tool_pb2.CALL_STATUS_UNKNOWN, 1)
    server.answer = answer
    return request


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        (DONE, tool_pb2.CALL_STATUS_SUCCEEDED, "RESOLVED_DONE"),
        (NOT_DONE, tool_pb2.CALL_STATUS_FAILED, "RESOLVED_NOT_DONE"),
    ],
    ids=["done", "not done"],
)
async def test_who_has_looked_says_what_became_of_a_call(
    tenant: Tenant, server: ScriptedServer, place: str, verdict: Any, status: Any, reason: str
):
    await tenant.connect(url=place)
    request = await unknown(tenant, server)

    call = await resolve(tenant, resolution(request, verdict, text="I looked."))
    again = await resolve(tenant, resolution(request, verdict, text="I looked."))
    joined = await tenant.run(request)

    assert call == again == joined
    assert (call.status, call.reason, call.resolved_by) == (status, reason, "anna")
    assert (text_of(call), call.generation) == ("I looked.", 2)
    assert server.count("tools/call") == 1


async def test_a_call_runs_again_once_and_with_the_same_key_when_somebody_says_so(
    tenant: Tenant, other: Registry, server: ScriptedServer, place: str
):
    keys: list[str] = []

    async def note(called: Called) -> dict[str, Any]:
        keys.append(called.meta["turnpike/idempotency-key"])
        return said("now")

    server.answer = note
    await tenant.connect(url=place)
    request = await unknown(tenant, server)
    asked = [
        resolve(
            tenant.on(other) if number % 2 else tenant,
            resolution(request, RUN_AGAIN, principal=f"person {number}"),
        )
        for number in range(20)
    ]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    call = await tenant.run(request)

    assert sum(not isinstance(each, BaseException) for each in ended) == 1
    assert (text_of(call), call.status) == ("now", tool_pb2.CALL_STATUS_SUCCEEDED)
    assert keys == [f"{request.turn}:1:0"]


async def test_what_is_known_is_not_resolved(tenant: Tenant, server: ScriptedServer, place: str):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await tenant.run(request)

    error = await refusal(resolve(tenant, resolution(request, RUN_AGAIN)))

    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "CALL_NOT_UNKNOWN")
    assert error.metadata["status"] == "SUCCEEDED"
    stale = resolution(await unknown(tenant, server), DONE, generation=7)
    assert (await refusal(resolve(tenant, stale))).reason == "CALL_NOT_UNKNOWN"


async def test_a_replaced_claim_resolves_nothing(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await unknown(tenant, server)
    await tenant.announce(request.turn, 2)

    assert (await refusal(resolve(tenant, resolution(request, DONE)))).reason == "FENCE_STALE"


async def test_people_are_shown_what_nobody_knows_and_settle_their_own(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    requests = [await unknown(tenant, server, principal="anna") for _ in range(3)]
    await unknown(tenant, server, principal="ben")
    stub = EffectServiceStub(tenant.registry.channel)
    anna, ben = (tenant.as_principal("member", name) for name in ("anna", "ben"))
    wanted = f"{requests[0].turn}:1:0"
    done = effects_pb.ResolveEffectRequest(
        effect=wanted, generation=1, resolution=DONE, text="It is there."
    )

    async def shown(metadata: Any, token: str = "") -> effects_pb.ListUnknownEffectsResponse:
        listing = effects_pb.ListUnknownEffectsRequest(page_size=2, page_token=token)
        return await stub.ListUnknownEffects(listing, metadata=metadata)

    first = await shown(anna)
    second = await shown(anna, first.next_page_token)
    listed = [each.call.effect for each in (*first.effects, *second.effects)]
    assert listed == [f"{request.turn}:1:0" for request in reversed(requests)]
    assert {each.principal for each in first.effects} == {"anna"}
    assert not second.next_page_token
    assert len((await shown(ben)).effects) == 1
    assert (await shown(tenant.as_principal())).next_page_token

    get = effects_pb.GetEffectRequest(effect=wanted)
    assert (await refusal(stub.GetEffect(get, metadata=ben))).reason == "NOT_FOUND"
    assert (await refusal(stub.ResolveEffect(done, metadata=ben))).reason == "NOT_FOUND"
    viewer = tenant.as_principal("viewer", "anna")
    assert (await refusal(stub.ResolveEffect(done, metadata=viewer))).reason == "FORBIDDEN"
    service = tenant.as_service()
    assert (await refusal(stub.ResolveEffect(done, metadata=service))).reason == "FORBIDDEN"
    strangers = tenant.registry.new_tenant().as_principal()
    assert (await refusal(stub.GetEffect(get, metadata=strangers))).reason == "NOT_FOUND"

    settled = (await stub.ResolveEffect(done, metadata=anna)).effect
    again = (await stub.ResolveEffect(done, metadata=anna)).effect
    assert settled == again == (await stub.GetEffect(get, metadata=anna)).effect
    assert (settled.call.status, settled.call.resolved_by) == (SUCCEEDED, "anna")
    assert (settled.tool, text_of(settled.call)) == ("effects/work", "It is there.")
    assert wanted not in [each.call.effect for each in (await shown(anna)).effects]
    done.resolution = RUN_AGAIN
    assert (await refusal(stub.ResolveEffect(done, metadata=anna))).reason == "CALL_NOT_UNKNOWN"


async def test_a_person_has_a_call_run_again_as_it_was_asked_for(
    tenant: Tenant, server: ScriptedServer, place: str
):
    seen: list[tuple[dict[str, Any], str]] = []

    async def note(called: Called) -> dict[str, Any]:
        seen.append((called.arguments, called.meta["turnpike/idempotency-key"]))
        return said("now")

    await tenant.connect(url=place)
    request = await unknown(tenant, server, principal="anna")
    server.answer = note
    stub = EffectServiceStub(tenant.registry.channel)
    effect = f"{request.turn}:1:0"
    again = effects_pb.ResolveEffectRequest(effect=effect, generation=1, resolution=RUN_AGAIN)

    await stub.ResolveEffect(again, metadata=tenant.as_principal("member", "anna"))

    call = await tenant.run(request)
    assert (call.status, text_of(call), call.generation) == (SUCCEEDED, "now", 2)
    assert seen == [(json.loads(request.arguments), effect)]


async def test_blocks_of_every_kind_are_kept_and_what_is_too_large_is_named(
    tenant: Tenant, server: ScriptedServer, place: str
):
    image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
    sound = {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}
    link = {"type": "resource_link", "uri": "file:///a", "name": "a"}
    inside = {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}}
    large = {"type": "image", "data": "x" * 2_000_000, "mimeType": "image/jpeg"}

    async def show(_: Called) -> dict[str, Any]:
        return {"content": [image, sound, link, inside, large]}

    server.answer = show
    await tenant.connect(url=place)

    blocks = json.loads((await tenant.run(await tenant.ask("effects/work"))).result)

    assert blocks[:4] == [image, sound, link, inside]
    assert blocks[4]["text"].startswith("[image image/jpeg of 20000")
    assert blocks[5]["text"].startswith("[The result was cut")


async def test_hints_count_for_nothing_where_they_are_distrusted(
    registry: Registry, server: ScriptedServer, place: str
):
    sent = list[Called]()

    async def hang(called: Called) -> dict[str, Any]:
        sent.append(called)
        await asyncio.Event().wait()
        return {}

    server.answer = hang
    statuses: dict[bool, Any] = {}
    for distrusted in (False, True):
        tenant = registry.new_tenant()
        await tenant.connect(url=place, distrust_annotations=distrusted)
        sent.clear()
        call = await timed_out(tenant, "effects/safe", lambda: bool(sent))
        statuses[distrusted] = call.status

    assert statuses == {
        False: tool_pb2.CALL_STATUS_FAILED,
        True: tool_pb2.CALL_STATUS_UNKNOWN,
    }


async def test_a_call_can_be_looked_at(tenant: Tenant, server: ScriptedServer, place: str):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    call = await tenant.run(request)
    asked = calls_pb.GetCallRequest(turn=request.turn, step=1)
    stub, metadata = tenant.registry.calls, tenant.as_service()

    assert (await stub.GetCall(asked, metadata=metadata)).call == call
    missing = calls_pb.GetCallRequest(turn=request.turn, step=2)
    assert (await refusal(stub.GetCall(missing, metadata=metadata))).reason == "NOT_FOUND"
