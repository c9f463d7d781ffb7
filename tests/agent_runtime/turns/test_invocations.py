"""Turns of one call: a tool is called without a model, and everything else is as in any turn."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from tests.agent_runtime.serving import Metadata, Tenant
from tests.agent_runtime.turns.books import Books, opened
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, begin, cancel, kinds
from tests.waiting import until
from turnpike.agent_runtime.events.fold import fold
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.thread_service_pb2 import ListThreadsRequest
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus
from turnpike.rpc.errors import from_rpc_error

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
FAILED = TurnStatus.TURN_STATUS_FAILED


@pytest.fixture
async def books(world: World) -> AsyncGenerator[Books]:
    """Gatekeeper's books."""
    async with opened(world) as books:
        yield books


async def start(
    tenant: Tenant, tool: str, arguments: str = "", *, as_: Metadata | None = None, **fields: Any
) -> pb.StartTurnResponse:
    """Starts a turn of one call."""
    digest = fields.pop("digest", "")
    call = pb.Invocation(tool=tool, arguments=arguments, definition_digest=digest)
    request = pb.StartTurnRequest(call=call, **fields)
    return await tenant.runtime.turns.StartTurn(request, metadata=as_ or tenant.admin)


async def run(tenant: Tenant, tool: str, arguments: str = "", **fields: Any) -> Turn:
    """Has a tool called; returns the turn that this was."""
    return await tenant.ended((await start(tenant, tool, arguments, **fields)).turn.id)


def outcome(turn: Turn) -> str:
    (call,) = turn.calls
    return ToolOutcome.Name(call.outcome).removeprefix("TOOL_OUTCOME_")


async def test_a_call_ends_with_its_result_and_asks_no_model(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    asks = len(provider.asks)
    arguments = '{"b":  1,\n "a": "ä"}'
    turn = await run(tenant, "effects/echo", arguments)
    log = await world.log(turn.id)

    assert (turn.status, outcome(turn)) == (COMPLETED, "OK")
    (call,) = turn.calls
    assert (call.name, call.arguments, call.effect) == (
        "effects/echo",
        arguments,
        f"{turn.id}:1:0",
    )
    assert call.structured == '{"b":1,"a":"ä"}'
    assert (turn.agent, turn.agent_version, turn.text) == ("", "", "")
    assert len(provider.asks) == asks
    assert kinds(log) == [
        "turn_started",
        "tool_requested",
        "tool_started",
        "tool_finished",
        "turn_finished",
    ]
    assert fold(log).calls["call_1_0"].result == call.result


async def test_what_was_asked_is_committed_before_the_call_runs(
    world: World, tenant: Tenant, tools: Tools
):
    await tools.offer(tenant)
    turn = (await start(tenant, "effects/transfer", '{"tag": "first"}')).turn
    await tenant.ended(turn.id)
    row = await world.superuser.fetchrow("SELECT * FROM calls WHERE turn = $1", UUID(turn.id))

    assert row is not None
    assert (row["step"], row["ordinal"], row["outcome"]) == (1, 0, "OK")
    assert row["definition_digest"]
    assert tools.effects("first") == 1


async def test_a_call_is_made_once_however_often_it_is_asked_for(tenant: Tenant, tools: Tools):
    await tools.offer(tenant)
    key, arguments = str(uuid4()), '{"tag": "once", "seconds": 0.2}'
    answers = await asyncio.gather(
        *(start(tenant, "effects/transfer", arguments, request_id=key) for _ in range(8))
    )
    await tenant.ended(answers[0].turn.id)

    assert len({each.turn.id for each in answers}) == 1
    assert [each.created for each in answers].count(True) == 1
    assert tools.effects("once") == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await start(tenant, "effects/transfer", '{"tag": "other"}', request_id=key)
    assert from_rpc_error(caught.value).reason == "IDEMPOTENCY_KEY_REUSED"


async def test_whoever_takes_a_call_over_joins_it(world: World, tools: Tools):
    async with world.replica() as first, world.replica():
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        over = tools.hold("taken")
        turn = (await start(tenant, "effects/transfer", '{"tag": "taken"}')).turn
        await tools.runs("taken")
        await world.declare_dead(first)
        await world.claimed(turn.id, 2)
        over.set()
        ended = await world_ended(world, turn.id)

    assert tools.effects("taken") == 1
    assert (ended["status"], ended["error_reason"]) == ("COMPLETED", "")
    assert ended["fence"] == 2
    assert kinds(await world.log(turn.id)).count("tool_finished") == 1


async def world_ended(world: World, turn: str) -> Any:
    async def has_ended() -> bool:
        return (await world.row(turn))["finished"] is not None

    await until(has_ended)
    return await world.row(turn)


async def test_one_that_died_before_it_asked_is_made_by_whoever_takes_it_over(
    world: World, tools: Tools
):
    async with world.replica() as first:
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        async with world.admission_held() as awaited:
            starting = asyncio.create_task(start(tenant, "effects/transfer", '{"tag": "heir"}'))
            await awaited()
            turn = await world.superuser.fetchval("SELECT id FROM turns ORDER BY position DESC")
            await world.superuser.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1", turn
            )
        await asyncio.wait([starting])
        ended = await world_ended(world, str(turn))

    assert ended["status"] == "COMPLETED"
    assert tools.effects("heir") == 1


async def test_a_call_is_cancelled_like_any_turn(tenant: Tenant, tools: Tools):
    await tools.offer(tenant)
    turn = (await start(tenant, "effects/transfer", '{"tag": "gone", "seconds": 60}')).turn
    await tools.runs("gone")
    ended = await cancel(tenant, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_CANCELLED
    assert outcome(ended) in ("CANCELLED", "UNKNOWN")


async def test_a_call_costs_nothing_and_leaves_nothing_held(
    world: World, tenant: Tenant, tools: Tools, books: Books
):
    await tools.offer(tenant)
    await books.budget(tenant, 1_000)
    turn = await run(tenant, "effects/echo", "{}")

    assert turn.usage.cost_micro_usd == turn.usage.input_tokens == turn.usage.output_tokens == 0
    assert await books.entries(turn.id) == []


async def test_who_may_not_enter_calls_nothing(world: World, tools: Tools):
    async with world.replica() as served:
        tenant = await world.tenant(served, slots=1)
        await tools.offer(tenant)
        hanging = (await start(tenant, "effects/hang")).turn
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await start(tenant, "effects/transfer", '{"tag": "full"}')
        await cancel(tenant, hanging.id)

    assert from_rpc_error(caught.value).reason == "CONCURRENCY_LIMITED"
    assert tools.effects("full") == 0


@pytest.mark.parametrize("tool", ["effects/nothing", "nobody/echo"])
async def test_a_tool_that_there_is_not_ends_the_turn(tenant: Tenant, tools: Tools, tool: str):
    await tools.offer(tenant)
    turn = await run(tenant, tool)

    assert (turn.status, turn.error.reason) == (FAILED, "TOOL_NOT_FOUND")
    assert not turn.calls


async def test_another_tenant_s_tool_is_none_of_ours(
    world: World, here: Served, tenant: Tenant, tools: Tools
):
    await tools.offer(tenant)
    other = await world.tenant(here)
    turn = await run(other, "effects/transfer", '{"tag": "foreign"}')

    assert turn.error.reason == "TOOL_NOT_FOUND"
    assert tools.effects("foreign") == 0


async def test_a_definition_that_is_not_the_seen_one_does_not_run(tenant: Tenant, tools: Tools):
    await tools.offer(tenant)
    turn = await run(tenant, "effects/transfer", '{"tag": "drift"}', digest="0" * 64)

    assert (turn.status, outcome(turn)) == (COMPLETED, "ERROR")
    assert "is not what it was" in turn.calls[0].result
    assert tools.effects("drift") == 0


async def test_arguments_that_do_not_fit_are_the_tool_s_error(tenant: Tenant, tools: Tools):
    await tools.offer(tenant)
    turn = await run(tenant, "effects/transfer", '{"tag": 1}')

    assert (turn.status, outcome(turn)) == (COMPLETED, "ERROR")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"arguments": "[]"}, "call.arguments"),
        ({"arguments": "{"}, "call.arguments"),
        ({"tool": "effects/*"}, "call.tool"),
        ({"tool": "effects"}, "call.tool"),
        ({"thread": str(uuid4())}, "thread"),
        ({"input": [pb.ContentPart(text="hello")]}, "input"),
    ],
    ids=["list", "broken", "pattern", "connector", "thread", "input"],
)
async def test_what_is_no_call_is_refused(tenant: Tenant, fields: dict[str, Any], field: str):
    asked: dict[str, Any] = {"tool": "effects/echo", **fields}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await start(tenant, **asked)

    refused = from_rpc_error(caught.value)
    assert refused.reason == "INVALID_ARGUMENT"
    assert [name for name, _ in refused.fields] == [field]


async def test_a_turn_of_an_agent_is_told_something(tenant: Tenant):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await tenant.runtime.turns.StartTurn(
            pb.StartTurnRequest(agent="agent"), metadata=tenant.admin
        )

    assert [name for name, _ in from_rpc_error(caught.value).fields] == ["input"]


async def test_viewers_call_nothing(tenant: Tenant, tools: Tools):
    await tools.offer(tenant)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await start(tenant, "effects/echo", as_=tenant.somebody("viewer"))

    assert from_rpc_error(caught.value).reason == "FORBIDDEN"


async def test_its_thread_is_in_no_list_and_no_model_hears_of_it(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn = await run(tenant, "effects/echo", '{"secret": 1}')
    listed = await tenant.runtime.threads.ListThreads(ListThreadsRequest(), metadata=tenant.admin)
    later, ask = await begin(tenant, provider, thread=turn.thread)
    ask.answer("hello")
    await tenant.ended(later.id)

    assert turn.thread not in [thread.id for thread in listed.threads]
    assert "secret" not in str(ask.body["messages"])


async def test_it_is_watched_from_its_start(tenant: Tenant, tools: Tools):
    await tools.offer(tenant)
    # It does not end before it is watched.
    call = pb.Invocation(tool="effects/steps", arguments='{"n": 1000, "seconds": 0.05}')
    request = pb.RunTurnRequest(start=pb.StartTurnRequest(call=call))
    stream = tenant.runtime.turns.RunTurn(request, metadata=tenant.admin)
    events = list((first := await anext(aiter(stream))).events)
    async for each in stream:
        events += each.events
        if "tool_progress" in kinds(events):
            break
    await cancel(tenant, first.turn.id)
    events += [event async for each in stream for event in each.events]

    assert kinds(events)[0] == "turn_started"
    assert "tool_progress" in kinds(events)
    assert kinds(events)[-1] == "turn_finished"
