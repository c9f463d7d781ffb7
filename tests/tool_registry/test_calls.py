"""Calls through the effect ledger, as agent-runtime relies on them."""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import asyncpg

from tests.doubles.effects_server import EffectsServer
from tests.locks import held_up
from tests.tool_registry.serving import Registry, Tenant, text_of, timed_out
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import RunCallRequest


async def test_a_call_runs_and_its_result_comes_back(tenant: Tenant, url: str):
    await tenant.connect(url=url)

    call = await tenant.run(await tenant.ask("effects/echo", x=[1, {"y": None}], n=2**70))

    assert call.status == tool_pb2.CALL_STATUS_SUCCEEDED
    assert json.loads(call.structured) == {"x": [1, {"y": None}], "n": 2**70}


async def test_the_server_is_told_the_effect_and_the_trace(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    trace = "0af7651916cd43dd8448eb211c80319c"
    metadata = (*tenant.as_service(), ("traceparent", f"00-{trace}-b7ad6b7169203331-01"))

    async for _ in tenant.registry.calls.RunCall(request, metadata=metadata):
        pass

    meta = effects.journal.entries("effect")[0].meta or {}
    assert meta["turnpike/idempotency-key"] == f"{request.turn}:1:0"
    assert meta["traceparent"].split("-")[1] == trace


async def test_fifty_who_ask_for_one_effect_get_one(
    tenant: Tenant, other: Registry, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=0.2)
    elsewhere = tenant.on(other)

    calls = await asyncio.gather(
        *(each.run(request) for _ in range(25) for each in (tenant, elsewhere))
    )

    assert effects.journal.effects("rent") == 1
    assert {text_of(call) for call in calls} == {"done rent"}


async def test_who_comes_after_the_end_gets_the_result_and_runs_nothing(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    first = await tenant.run(request)
    request.fence = 2

    assert await tenant.run(request) == first
    assert effects.journal.effects("rent") == 1


async def test_a_claim_that_was_replaced_runs_nothing(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    await tenant.announce(request.turn, 2)

    error = await refusal(tenant.run(request))

    assert (error.code.name, error.reason) == ("ABORTED", "FENCE_STALE")
    assert error.metadata == {"turn": request.turn, "fence": "2"}
    assert (await refusal(tenant.announce(request.turn, 1))).reason == "FENCE_STALE"
    assert effects.journal.effects("rent") == 0


async def test_a_claim_that_is_replaced_at_the_same_moment_runs_nothing(
    tenant: Tenant, url: str, effects: EffectsServer, superuser: asyncpg.Connection
):
    """The announcement is written but not committed when the old claim's call comes."""
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    await tenant.announce(request.turn, 1)

    async with superuser.transaction():
        await superuser.execute("UPDATE turn_fences SET fence = 2 WHERE turn = $1", request.turn)
        running = asyncio.create_task(refusal(tenant.run(request)))
        await held_up(superuser, "begin_call")

    assert (await running).reason == "FENCE_STALE"
    assert effects.journal.effects("rent") == 0


async def test_an_effect_cannot_become_another_call(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    await tenant.run(request)
    request.arguments = json.dumps({"tag": "loot"})

    error = await refusal(tenant.run(request))

    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "EFFECT_MISMATCH")
    assert effects.journal.effects("loot") == 0


async def test_a_caller_that_goes_away_does_not_end_the_call(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=0.5)
    watch = tenant.watch(request)
    async for response in watch:
        if response.call.status == tool_pb2.CALL_STATUS_DISPATCHED:
            break
    watch.cancel()

    assert text_of(await tenant.run(request)) == "done rent"
    assert effects.journal.effects("rent") == 1


async def test_a_tool_that_fails_shows_the_model_why(tenant: Tenant, url: str):
    await tenant.connect(url=url)

    call = await tenant.run(await tenant.ask("effects/fail", message="no money"))

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "TOOL_ERROR")
    assert text_of(call) == "no money"


async def test_arguments_that_the_tool_does_not_take_are_not_sent(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", seconds="many")

    call = await tenant.run(request)

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "INVALID_ARGUMENTS")
    assert "$.seconds" in text_of(call)
    assert "'tag' is a required property" in text_of(call)
    for arguments in ("[]", "{", '{"tag": NaN}', ""):
        request = await tenant.ask("effects/transfer")
        request.arguments = arguments
        assert (await tenant.run(request)).reason == "INVALID_ARGUMENTS"
    assert "tools/call" not in effects.journal.counts()


async def test_a_tool_that_is_not_there_is_not_called(tenant: Tenant, url: str):
    await tenant.connect(url=url)

    for name in ("effects/none", "nobody/echo"):
        call = await tenant.run(await tenant.ask(name))
        assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "TOOL_NOT_FOUND")


async def test_a_tool_whose_definition_changed_is_not_called(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    warm = await tenant.ask("effects/transfer", tag="warm")
    await tenant.run(warm)
    effects.protocol.lie = "drift"
    await tenant.connect(url=url + "?")
    await tenant.list_tools()

    call = await tenant.run(request)

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "TOOL_DEFINITION_CHANGED")
    assert effects.journal.effects("rent") == 0


async def test_t8_a_call_with_effects_that_takes_too_long_is_unknown(
    tenant: Tenant, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)

    def was_sent() -> bool:
        return effects.journal.effects("rent") == 1

    call = await timed_out(tenant, "effects/transfer", was_sent, tag="rent", seconds=30)

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_UNKNOWN, "OUTCOME_UNKNOWN")
    await until(was_sent)


async def test_a_repeatable_call_that_takes_too_long_has_failed(tenant: Tenant, url: str):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/retry_safe", tag="rent", seconds=30)
    request.timeout.FromTimedelta(timedelta(seconds=0.3))

    call = await tenant.run(request)

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "DEADLINE_EXCEEDED")


async def test_a_result_is_cut_to_what_a_turn_can_carry(tenant: Tenant, url: str):
    await tenant.connect(url=url)

    call = await tenant.run(await tenant.ask("effects/big", n=3_000_000))

    assert call.status == tool_pb2.CALL_STATUS_SUCCEEDED
    assert 900_000 < len(call.result) <= 1024 * 1024
    assert "The result was cut" in json.loads(call.result)[-1]["text"]


async def test_calls_run_side_by_side(tenant: Tenant, url: str):
    await tenant.connect(url=url)
    hanging = await tenant.ask("effects/hang")
    slow = asyncio.create_task(tenant.run(hanging))
    requests: list[RunCallRequest] = []
    for ordinal in range(20):
        request = await tenant.ask("effects/transfer", tag=f"t{ordinal}", seconds=1)
        request.turn, request.ordinal = hanging.turn, ordinal + 1
        requests.append(request)

    async with asyncio.timeout(15):
        calls = await asyncio.gather(*map(tenant.run, requests))

    assert [text_of(call) for call in calls] == [f"done t{n}" for n in range(20)]
    await tenant.cancel(hanging)
    assert (await slow).status == tool_pb2.CALL_STATUS_CANCELLED


async def test_a_call_is_cancelled_at_its_server(tenant: Tenant, url: str, effects: EffectsServer):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=30)
    running = asyncio.create_task(tenant.run(request))
    await until(lambda: effects.journal.effects("rent") == 1)

    cancelled = await tenant.cancel(request)

    assert (cancelled.status, cancelled.reason) == (tool_pb2.CALL_STATUS_CANCELLED, "CANCELLED")
    assert (await running).status == tool_pb2.CALL_STATUS_CANCELLED
    assert await tenant.cancel(request) == cancelled
    assert (await tenant.run(request)).status == tool_pb2.CALL_STATUS_CANCELLED
    assert effects.journal.effects("rent") == 1


async def test_a_call_is_cancelled_through_any_replica(
    tenant: Tenant, other: Registry, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=30)
    running = asyncio.create_task(tenant.run(request))
    await until(lambda: effects.journal.effects("rent") == 1)

    cancelled = await tenant.on(other).cancel(request)

    assert cancelled.status == tool_pb2.CALL_STATUS_CANCELLED
    assert (await running).status == tool_pb2.CALL_STATUS_CANCELLED


async def test_cancelling_what_was_never_written_finds_nothing(tenant: Tenant):
    request = RunCallRequest(turn=str(uuid4()), fence=1, step=1)

    assert not (await tenant.cancel(request)).effect


async def test_only_the_runtime_may_run_calls(tenant: Tenant, url: str):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    nobodys = Tenant(tenant.registry, "")

    for metadata in (
        tenant.as_principal("owner"),
        tenant.as_service("gateway"),
        nobodys.as_service(),
    ):
        watch = tenant.registry.calls.RunCall(request, metadata=metadata)
        error = await refusal(watch.read())
        assert (error.code.name, error.reason) == ("PERMISSION_DENIED", "FORBIDDEN")


async def test_another_tenants_effects_and_fences_are_not_there(
    tenant: Tenant, registry: Registry, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    await tenant.run(request)
    stranger = registry.new_tenant()

    assert not (await stranger.cancel(request)).effect
    assert (await stranger.run(request)).reason == "TOOL_NOT_FOUND"
    await stranger.announce(request.turn, 9)
    assert (await tenant.run(request)).status == tool_pb2.CALL_STATUS_SUCCEEDED
    assert effects.journal.effects("rent") == 1
