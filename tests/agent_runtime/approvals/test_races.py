"""Many at once, and processes that die: what was approved runs once, whoever lives."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import grpc

from tests.agent_runtime.approvals.asking import (
    ASKS,
    answered,
    decide,
    let_pass,
    paused,
    refused,
    said,
    waiting,
)
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, begin, kinds, watching
from turnpike.api.agent_runtime.v1.approval_pb2 import Approval
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.rpc.errors import from_rpc_error


async def test_h10_of_fifty_decisions_on_three_replicas_one_wins_and_the_rest_learn_whose(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(world.replica()) for _ in range(2)]
        places = [tenant, *(tenant.on(each.runtime) for each in replicas)]
        turn = await paused(tenant, provider, arguments='{"tag": "fifty"}')
        async with world.locked(turn.id) as held:
            # All of them wait for the turn's row, so that none is early.
            sending = [
                asyncio.create_task(
                    _persistently(places[number % 3], turn.approval.id, f"k{number}")
                )
                for number in range(50)
            ]
            await held.awaited(by=3)
        came = await asyncio.gather(*sending, return_exceptions=True)
        ended, _ = await answered(tenant, provider, turn.id)

    won = [each for each in came if isinstance(each, Approval)]
    lost = [from_rpc_error(each) for each in came if isinstance(each, grpc.aio.AioRpcError)]
    assert (len(won), len(lost)) == (1, 49)
    assert {each.reason for each in lost} == {"APPROVAL_DECIDED"}
    assert {each.metadata["decided_by"] for each in lost} == {tenant.made.principal}
    assert len({each.metadata["decided_at"] for each in lost}) == 1
    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert tools.effects("fifty") == 1
    assert kinds(await world.log(turn.id)).count("approval_decided") == 1


async def _persistently(place: Tenant, approval: str, request_id: str) -> Approval:
    """Decides; a database that is too busy to answer is asked again, by the same request."""
    while True:
        try:
            return await decide(place, approval, said("approve"), request_id=request_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise


async def test_h9_a_decision_the_moment_the_event_is_seen_is_taken(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    for number in range(10):
        turn, ask = await begin(tenant, provider)
        async with watching(tenant, turn.id) as reader:
            ask.ask_for("effects__transfer", arguments=f'{{"tag": "moment {number}"}}')
            await reader.until(lambda each: "approval_required" in kinds(each.events))
            asked = reader.events[-1].approval_required.approval
            await decide(tenant, asked, said("approve"))
        await answered(tenant, provider, turn.id)
        assert tools.effects(f"moment {number}") == 1


async def test_h9_everything_is_stopped_while_a_turn_waits_and_another_suite_goes_on(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as first:
        tenant = await world.tenant(first)
        await tools.offer(tenant, **ASKS, instructions="It is {{current_datetime}}.")
        turn, ask = await begin(tenant, provider, time_zone="Asia/Tokyo")
        system = ask.prompt[0]
        ask.ask_for("effects__transfer", arguments='{"tag": "restart"}')
        await waiting(tenant, turn.id)
    async with world.replica() as second:
        tenant = tenant.on(second.runtime)
        found = await waiting(tenant, turn.id)
        # The agent is another one by now; the turn keeps to what it began with.
        await tenant.agent(instructions="other", tools=[], model="model")
        await decide(tenant, found.approval.id, said("approve"))
        ended, ask = await answered(tenant, provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert ask.prompt[0] == system
    assert tools.effects("restart") == 1


async def test_an_owner_that_dies_between_decision_and_execution_runs_it_once(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        await tools.offer(tenant, **ASKS)
        over = tools.hold("heir")
        turn = await paused(tenant, provider, arguments='{"tag": "heir"}')
        await decide(tenant, turn.approval.id, said("approve"))
        await tools.runs("heir")
        # Whoever runs it is taken for dead; the next claim joins the call by its effect.
        await world.superuser.execute(
            "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
            UUID(turn.id),
        )
        over.set()
        ended, _ = await answered(tenant.on(second.runtime), provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert tools.effects("heir") == 1


async def test_a_decision_that_meets_the_expiry_is_either_whole_or_too_late(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "met"}')
    async with world.locked(turn.id) as held:
        deciding = asyncio.create_task(refused(tenant, turn.approval.id, said("approve")))
        await held.awaited()
        # It expires while the decision waits for the turn's row.
        await held.connection.execute(
            "UPDATE approvals SET expires = clock_timestamp() - interval '1 s' WHERE turn = $1",
            UUID(turn.id),
        )
        await held.set("due_at = clock_timestamp() - interval '1 s'")
    late = await deciding
    ended = await tenant.ended(turn.id)

    assert late.reason == "APPROVAL_CLOSED"
    assert ended.status == TurnStatus.TURN_STATUS_EXPIRED
    assert tools.effects("met") == 0


async def test_h11_ten_pauses_of_one_turn_keep_what_was_said_and_used(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn, ask = await begin(tenant, provider)
    for number in range(4):
        ask.say(f"step {number}")
        ask.ask_for("effects__transfer", arguments=f'{{"tag": "again {number}"}}')
        asked = (await waiting(tenant, turn.id)).approval
        await decide(tenant, asked.id, said("approve", f"call_{number + 1}_0"))
        ask = await provider.asked()
    ask.answer("done")
    ended = await tenant.ended(turn.id)

    assert [call.call_id for call in ended.calls] == [f"call_{n + 1}_0" for n in range(4)]
    assert all(tools.effects(f"again {number}") == 1 for number in range(4))
    # Five model calls, each of 7 and 5 tokens.
    assert (ended.usage.input_tokens, ended.usage.output_tokens) == (35, 25)
    assert [text for who, text in ask.prompt if who == "assistant"] == [
        f"step {number}" for number in range(4)
    ]


async def test_h12_that_there_is_no_room_is_waited_for(
    world: World, provider: Provider, tools: Tools, here: Served
):
    tenant = await world.tenant(here, slots=1)
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "room"}')
    other, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        await decide(tenant, turn.approval.id, said("approve"))
        await reader.until(lambda each: "admission_waiting" in kinds(each.events))
        waits = reader.events[-1].admission_waiting
        assert waits.reason == "CONCURRENCY_LIMITED"
        assert (await tenant.turn(turn.id)).waiting_for in ("admission", "")
        ask.answer("made room")
        await tenant.ended(other.id)
        ended, _ = await answered(tenant, provider, turn.id)
    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert tools.effects("room") == 1


async def test_a_day_without_room_is_the_end(
    world: World, provider: Provider, tools: Tools, here: Served
):
    tenant = await world.tenant(here, slots=1)
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "no room"}')
    other, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        await decide(tenant, turn.approval.id, said("approve"))
        await reader.until(lambda each: "admission_waiting" in kinds(each.events))
        await let_pass(world, turn.id, 25)
        ended = await tenant.ended(turn.id)
    ask.answer("there was never room")
    await tenant.ended(other.id)

    assert ended.status == TurnStatus.TURN_STATUS_EXPIRED
    assert ended.error.reason == "CONCURRENCY_LIMITED"
    assert tools.effects("no room") == 0
