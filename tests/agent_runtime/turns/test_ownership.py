"""Who owns a turn, and what becomes of it when that one dies, stalls, drains or is cut off."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import grpc
import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import (
    Served,
    World,
    begin,
    kinds,
    said,
    watching,
)
from tests.waiting import refusal, until
from turnpike.agent_runtime.events.fold import fold
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import ON_BUSY_ENQUEUE

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
FAILED = TurnStatus.TURN_STATUS_FAILED


async def test_who_is_declared_dead_in_the_text_writes_nothing_more(
    world: World, provider: Provider
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        turn, ask = await begin(tenant, provider)
        async with watching(tenant.on(second.runtime), turn.id) as reader:
            ask.say("of the first")
            await reader.reads("of the first")

            await world.declare_dead(first)
            # Whoever of the two claims it: it is another claim.
            again = await provider.asked()
            ask.say(" and more")
            again.answer("of the second")
            events = await reader.ends()

        row = await world.row(turn.id)
        ended = await tenant.on(second.runtime).turn(turn.id)
        assert (row["fence"], ended.text) == (2, "of the second")
        assert fold(events).text == fold(await world.log(turn.id)).text == "of the second"
        assert "and more" not in said(events)
        assert "log_reset" in kinds(events)


async def test_a_log_that_was_taken_over_twice_has_its_start(world: World, provider: Provider):
    async with world.replica() as first:
        tenant = await world.tenant(first)
        turn, ask = await begin(tenant, provider)
        ask.say("one")
        for _ in range(2):
            await world.superuser.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
                UUID(turn.id),
            )
            ask = await provider.asked()
            ask.say("more")
        ask.answer("")
        await tenant.ended(turn.id)

        log = await world.log(turn.id)
        assert kinds(log).count("turn_started") == 1
        assert fold(log).text == "more"


async def test_a_replica_that_was_declared_dead_goes_on_as_another(
    world: World, provider: Provider
):
    async with world.replica() as served:
        tenant = await world.tenant(served)
        before = served.id

        await world.declare_dead(served)
        await until(lambda: served.id != before)
        turn, ask = await begin(tenant, provider)
        ask.answer("hello")

        assert (await tenant.ended(turn.id)).text == "hello"


async def test_a_claim_whose_reply_was_lost_is_due_again(world: World, provider: Provider):
    # As when the caller hangs up, or Postgres cuts the connection, right after the commit.
    async with world.replica() as served:
        tenant = await world.tenant(served)
        turn, ask = await begin(tenant, provider)
        queued = await tenant.start(thread=turn.thread, on_busy=ON_BUSY_ENQUEUE)
        ask.answer("hello")
        await tenant.ended(turn.id)
        (await provider.asked()).answer("first")
        await tenant.ended(queued.id)

        await world.superuser.execute(
            "UPDATE turns SET status = 'RUNNING', owner = $2, due_at = NULL, finished = NULL,"
            # Its segment has ended; the next one is to be admitted.
            " fence = fence + 1, answer = '', fruitless = 1, segment = segment + 1"
            " WHERE id = $1",
            UUID(queued.id),
            served.id,
        )
        (await provider.asked()).answer("again")

        assert (await tenant.ended(queued.id)).text == "again"


async def test_a_claim_of_a_process_that_was_dead_already_is_due_again(
    world: World, provider: Provider
):
    # A process that is stopped between the look at its lease and its claim claims
    # as an incarnation that nobody will bury again.
    async with world.replica() as served:
        tenant = await world.tenant(served)
        turn, ask = await begin(tenant, provider)
        async with watching(tenant, turn.id) as reader:
            await world.superuser.execute(
                "UPDATE turns SET owner = $2, fence = fence + 1 WHERE id = $1",
                UUID(turn.id),
                uuid4(),
            )
            again = await provider.asked()
            again.answer("again")
            await reader.ends()

        assert (await tenant.turn(turn.id)).text == "again"
        assert ask is not again


async def test_three_fruitless_claims_are_the_last(world: World, provider: Provider):
    async with world.replica() as served:
        tenant = await world.tenant(served)
        turn, _ = await begin(tenant, provider)
        for _ in range(2):
            await world.superuser.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
                UUID(turn.id),
            )
            await provider.asked()
        asked = len(provider.asks)
        await world.superuser.execute(
            "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
            UUID(turn.id),
        )

        ended = await tenant.ended(turn.id)

        assert (ended.status, ended.error.reason) == (FAILED, "POISONED")
        assert len(provider.asks) == asked


async def test_a_committed_step_makes_the_count_of_claims_start_anew(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as served:
        tenant = await world.tenant(served)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        for number in range(4):
            await world.superuser.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
                UUID(turn.id),
            )
            ask = await provider.asked()
            ask.ask_for("effects__echo", arguments=f'{{"n": {number}}}')
            ask = await provider.asked()
        ask.answer("done")

        ended = await tenant.ended(turn.id)
        assert (ended.status, ended.text, len(ended.calls)) == (COMPLETED, "done", 4)


async def test_a_takeover_in_a_tool_does_not_ask_the_model_again(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        over = tools.hold("once")
        ask.say("let me transfer")
        ask.ask_for("effects__transfer", arguments='{"tag":  "once"}')
        await tools.runs("once")

        await world.declare_dead(first)
        await world.claimed(turn.id, 2)
        over.set()
        ask = await provider.asked()
        ask.answer("done")
        ended = await tenant.on(second.runtime).ended(turn.id)

        # The one further call is of the next step, with the result, rejoined by its effect.
        assert ask.prompt[-1][0] == "tool"
        assert "done once" in ask.prompt[-1][1]
        assert tools.effects("once") == 1
        assert [call.outcome for call in ended.calls] == [ToolOutcome.TOOL_OUTCOME_OK]
        assert ended.calls[0].arguments == '{"tag":  "once"}'
        assert (await world.row(turn.id))["fence"] == 2


async def test_draining_hands_over_what_runs_and_counts_nothing_against_it(
    world: World, provider: Provider
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        turn, ask = await begin(tenant, provider)
        ask.say("half")
        async with watching(tenant.on(second.runtime), turn.id) as reader:
            await reader.reads("half")

            await first.replica.drain(timedelta())
            again = await provider.asked()
            again.answer("whole")
            events = await reader.ends()

        await asyncio.wait_for(ask.closed.wait(), 15)
        assert fold(events).text == "whole"
        row = await world.row(turn.id)
        assert (row["status"], row["owner_name"], row["fence"], row["fruitless"]) == (
            "COMPLETED",
            second.replica.owner.lease.name,
            2,
            1,
        )


async def test_draining_waits_for_the_step_and_hands_over_before_the_next(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        draining = asyncio.create_task(first.replica.drain(timedelta(seconds=10)))
        refused = await refusal(tenant.start())
        ask.ask_for("effects__echo", arguments='{"a": 1}')
        await draining
        ask = await provider.asked()
        ask.answer("whole")
        ended = await tenant.on(second.runtime).ended(turn.id)

        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert ask.prompt[-1][0] == "tool"
        assert (ended.text, ended.owner) == ("whole", second.replica.owner.lease.name)
        # Nothing was voided: the step was whole.
        assert "log_reset" not in kinds(await world.log(turn.id))


async def test_draining_never_cancels_a_tool_call(world: World, provider: Provider, tools: Tools):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        over = tools.hold("drained")
        ask.ask_for("effects__transfer", arguments='{"tag": "drained"}')
        await tools.runs("drained")

        await first.replica.drain(timedelta())
        over.set()
        (await provider.asked()).answer("whole")
        ended = await tenant.on(second.runtime).ended(turn.id)

        assert [call.outcome for call in ended.calls] == [ToolOutcome.TOOL_OUTCOME_OK]
        assert tools.effects("drained") == 1


async def test_whoever_watches_a_draining_replica_is_sent_elsewhere(
    world: World, provider: Provider
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first)
        turn, ask = await begin(tenant, provider)
        ask.say("half")
        async with watching(tenant, turn.id) as reader:
            await reader.reads("half")
            await first.replica.drain(timedelta())
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await reader.ends()
            seen = reader.events
        (await provider.asked()).answer("whole")
        async with watching(tenant.on(second.runtime), turn.id, seen[-1].seq) as reader:
            seen += await reader.ends()

        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert fold(seen).text == "whole"


async def test_a_turn_goes_on_after_postgres_cut_every_connection(world: World, provider: Provider):
    async with world.replica() as served:
        tenant = await world.tenant(served)
        turn, ask = await begin(tenant, provider)
        ask.say("half ")
        await world.superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename LIKE 'agent_runtime%'"
        )
        ask.answer("whole")

        async def has_ended() -> bool:
            nonlocal turn
            try:
                turn = await tenant.turn(turn.id)
            except grpc.aio.AioRpcError as cut:
                # The read had drawn its connection already: who asks is to ask again.
                assert cut.code() is grpc.StatusCode.UNAVAILABLE
                return False
            return turn.HasField("finish_time")

        await until(has_ended)
        assert (turn.status, turn.text) == (COMPLETED, "half whole")
        assert (await world.row(turn.id))["fence"] == 1


async def test_a_commit_whose_reply_was_lost_is_found_and_not_made_twice(
    world: World, provider: Provider
):
    # The connection dies while the completing statement waits for the row; the
    # statement goes on without it, or does not: either way there is one end.
    async with world.replica() as served:
        tenant = await world.tenant(served)
        for _ in range(5):
            turn, ask = await begin(tenant, provider)
            async with world.locked(turn.id) as held:
                ask.answer("whole")
                await held.awaited()
                await world.superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                    " datname = current_database() AND wait_event_type = 'Lock'"
                )

            ended = await tenant.ended(turn.id)
            assert (ended.status, ended.text) == (COMPLETED, "whole")
            assert kinds(await world.log(turn.id)).count("turn_finished") == 1


async def test_the_slot_of_a_dead_owners_turn_is_free_after_its_end(
    world: World, provider: Provider
):
    async with world.replica() as first, world.replica() as second:
        tenant = await world.tenant(first, slots=1)
        turn, _ = await begin(tenant, provider)
        await world.superuser.execute(
            "UPDATE turns SET desired = 'cancel' WHERE id = $1", UUID(turn.id)
        )
        await world.declare_dead(first)
        there = tenant.on(second.runtime)
        await there.ended(turn.id)

        turn, ask = await begin(there, provider)
        ask.answer("hello")
        assert (await there.ended(turn.id)).text == "hello"


async def test_a_turn_whose_row_is_deleted_while_it_runs_stops(
    world: World, provider: Provider, here: Served
):
    tenant = await world.tenant(here)
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        await world.superuser.execute("DELETE FROM threads WHERE id = $1", UUID(turn.thread))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await reader.ends()
    ask.answer("hello")

    assert ended.value.code() is grpc.StatusCode.NOT_FOUND
    assert await tenant_runs_on(tenant, provider)


async def tenant_runs_on(tenant: Tenant, provider: Provider) -> bool:
    """Tells whether the replica still runs turns."""
    turn, ask = await begin(tenant, provider)
    ask.answer("still")
    return (await tenant.ended(turn.id)).text == "still"


async def test_a_sweep_makes_no_more_of_what_is_due_than_it_has_room_for(
    world: World, provider: Provider
):
    async with world.replica(capacity=2) as served:
        tenant = await world.tenant(served)
        turns = [await begin(tenant, provider) for _ in range(2)]
        refused = await refusal(tenant.start())
        for turn, ask in turns:
            ask.answer("done")
            await tenant.ended(turn.id)

        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert await tenant_runs_on(tenant, provider)
