"""A cancellation in every phase of a turn: what was said is kept, what was asked is closed."""

import asyncio
from uuid import UUID

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import (
    Served,
    World,
    begin,
    cancel,
    kinds,
    said,
    watching,
)
from turnpike.agent_runtime.events.fold import fold
from turnpike.agent_runtime.turns.stopping import CANCEL
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus

CANCELLED = TurnStatus.TURN_STATUS_CANCELLED
COMPLETED = TurnStatus.TURN_STATUS_COMPLETED


async def assert_whole(world: World, turn: Turn) -> None:
    """What is folded from the log is what is stored, and nothing is left open."""
    row, log = await world.row(turn.id), await world.log(turn.id)
    folded = fold(log)
    assert kinds(log).count("turn_finished") == 1
    assert (folded.text, folded.seq) == (row["answer"], row["committed_seq"])
    assert folded.usage.output_tokens == row["output_tokens"]
    assert all(call.outcome for call in folded.calls.values())
    assert await world.superuser.fetchval(
        "SELECT count(*) = 0 FROM calls WHERE turn = $1 AND outcome = ''", UUID(turn.id)
    )


async def test_before_the_first_word(world: World, tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)

    ended = await cancel(tenant, turn.id)

    await asyncio.wait_for(ask.closed.wait(), 15)
    assert (ended.status, ended.text, ended.error.reason) == (CANCELLED, "", "CANCELLED")
    await assert_whole(world, ended)


async def test_in_the_text(world: World, tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("half ", "an ")
        await reader.reads("an ")

        ended = await cancel(tenant, turn.id)
        events = await reader.ends()

    await asyncio.wait_for(ask.closed.wait(), 15)
    assert (ended.status, ended.text) == (CANCELLED, "half an ")
    assert said(events) == "half an "
    assert kinds(events)[-2:] == ["usage", "turn_finished"]
    await assert_whole(world, ended)


async def test_what_a_cancelled_turn_used_is_counted(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("one ", "two ", "three ")
        await reader.reads("three ")

        ended = await cancel(tenant, turn.id)

    # A call that is cut short reports nothing: a piece is a token.
    assert ended.usage.output_tokens == 3
    assert ended.usage.input_tokens > 0


async def test_the_next_turn_knows_what_was_said_before_the_cancellation(
    tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider, text="first")
    async with watching(tenant, turn.id) as reader:
        ask.say("half")
        await reader.reads("half")
    await cancel(tenant, turn.id)

    _, ask = await begin(tenant, provider, text="second", thread=turn.thread)
    ask.answer("whole")

    assert ask.prompt == [("user", "first"), ("assistant", "half"), ("user", "second")]


async def test_twice_is_as_good_as_once(world: World, tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    ask.say("half")

    both = await asyncio.gather(cancel(tenant, turn.id), cancel(tenant, turn.id))
    again = await cancel(tenant, turn.id)

    assert {each.status for each in (*both, again)} == {CANCELLED}
    assert {each.seq for each in (*both, again)} == {again.seq}
    await assert_whole(world, again)


async def test_of_a_turn_that_has_ended_changes_nothing(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    ask.answer("done")
    before = await tenant.ended(turn.id)

    after = await cancel(tenant, turn.id)

    assert (after.status, after.text, after.seq) == (COMPLETED, "done", before.seq)
    assert (await world.row(turn.id))["desired"] == ""


async def test_of_a_queued_turn_never_runs_it(world: World, tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    queued = await tenant.start(thread=turn.thread, on_busy=pb.ON_BUSY_ENQUEUE)

    ended = await cancel(tenant, queued.id)
    ask.answer("done")
    await tenant.ended(turn.id)

    assert ended.status == CANCELLED
    assert kinds(await world.log(queued.id)) == ["turn_finished"]


async def test_at_the_completing_commit_one_of_the_two_wins(
    world: World, tenant: Tenant, provider: Provider
):
    # The cancellation is written while the completing statement waits for the row.
    turn, ask = await begin(tenant, provider)
    async with world.locked(turn.id) as held:
        ask.answer("done")
        await held.awaited()
        await held.set("desired = 'cancel'")

    ended = await tenant.ended(turn.id)

    assert (ended.status, ended.text) == (CANCELLED, "done")
    await assert_whole(world, ended)


async def test_that_finds_the_turn_ended_in_between_returns_it(
    world: World, tenant: Tenant, provider: Provider
):
    # Asked of another replica: its statement waits for the completing one.
    turn, ask = await begin(tenant, provider)
    async with world.locked(turn.id) as held:
        ask.answer("done")
        await held.awaited()
        cancelling = asyncio.create_task(cancel(tenant, turn.id))
        await held.awaited(by=2)

    ended = await cancelling

    assert ended.status in (COMPLETED, CANCELLED)
    assert ended.text == "done"
    await assert_whole(world, ended)


async def test_while_the_model_is_to_be_asked_again_keeps_nothing_that_is_void(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("void")
        await reader.reads("void")
        ask.cut()
        await reader.until(lambda each: "model_retrying" in kinds(each.events))
        ended = await cancel(tenant, turn.id)

    assert (ended.status, ended.text) == (CANCELLED, "")
    await assert_whole(world, ended)


async def test_while_the_reset_is_being_committed(world: World, tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("void")
        await reader.reads("void")
        async with world.locked(turn.id) as held:
            ask.cut()
            await held.awaited()
            tenant.runtime.owner.stop(UUID(turn.id), CANCEL)
        ended = await tenant.ended(turn.id)

    assert (ended.status, ended.text) == (CANCELLED, "")
    await assert_whole(world, ended)


async def test_in_a_tool_closes_the_call(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__hang")
    async with watching(tenant, turn.id) as reader:
        await reader.until(lambda each: "tool_started" in kinds(each.events))

        ended = await cancel(tenant, turn.id)

    assert ended.status == CANCELLED
    assert [call.outcome for call in ended.calls] == [ToolOutcome.TOOL_OUTCOME_CANCELLED]
    await assert_whole(world, ended)


async def test_in_a_tool_leaves_a_prompt_that_a_provider_takes(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider, text="go")
    ask.ask_for("effects__hang", "effects__hang")
    async with watching(tenant, turn.id) as reader:
        await reader.until(lambda each: kinds(each.events).count("tool_started") == 2)
        await cancel(tenant, turn.id)

    _, ask = await begin(tenant, provider, text="on", thread=turn.thread)
    ask.answer("fine")

    asked = [use["id"] for use in ask.body["messages"][1]["tool_calls"]]
    answered = [each["tool_call_id"] for each in ask.body["messages"] if each["role"] == "tool"]
    assert sorted(asked) == sorted(answered)
    assert len(asked) == 2


async def test_between_steps(world: World, tenant: Tenant, provider: Provider, tools: Tools):
    # It is written while the step's results wait to be committed.
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    asked = len(provider.asks)
    ask.say("let me see")
    over = tools.hold("between")
    ask.ask_for("effects__transfer", arguments='{"tag": "between"}')
    await tools.runs("between")
    async with world.locked(turn.id) as held:
        over.set()
        await held.awaited()
        await held.set("desired = 'cancel'")

    ended = await tenant.ended(turn.id)

    assert (ended.status, ended.text) == (CANCELLED, "let me see")
    assert [call.outcome for call in ended.calls] == [ToolOutcome.TOOL_OUTCOME_OK]
    assert len(provider.asks) == asked
    await assert_whole(world, ended)


async def test_at_the_commit_of_what_is_asked_runs_nothing(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    async with world.locked(turn.id) as held:
        ask.ask_for("effects__transfer", arguments='{"tag": "never"}')
        await held.awaited()
        await held.set("desired = 'cancel'")

    ended = await tenant.ended(turn.id)

    assert (ended.status, list(ended.calls)) == (CANCELLED, [])
    assert tools.effects("never") == 0
    await assert_whole(world, ended)


async def test_through_another_replica_waits_for_no_renewal_of_the_lease(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    async with world.replica() as elsewhere:
        turn, ask = await begin(tenant, provider)
        async with watching(tenant, turn.id) as reader:
            ask.say("half")
            await reader.reads("half")
            async with world.unrenewed(here):
                ended = await cancel(tenant.on(elsewhere.runtime), turn.id)

    await asyncio.wait_for(ask.closed.wait(), 15)
    assert ended.text == "half"
    # Nobody took it from its owner, whose lease ends after four seconds.
    assert (await world.row(turn.id))["fence"] == 1


async def test_that_no_signal_announces_comes_with_the_lease(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)

    await world.superuser.execute(
        "UPDATE turns SET desired = 'cancel' WHERE id = $1", UUID(turn.id)
    )

    assert (await tenant.ended(turn.id)).status == CANCELLED
    await asyncio.wait_for(ask.closed.wait(), 15)


async def test_of_a_turn_whose_owner_is_gone_is_done_by_whoever_claims_it(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("half")
        await reader.reads("half")
        await world.superuser.execute(
            "UPDATE turns SET desired = 'cancel', owner = NULL, fence = fence + 1,"
            " due_at = statement_timestamp() WHERE id = $1",
            UUID(turn.id),
        )

        events = await reader.ends()

    ended = await tenant.turn(turn.id)
    # What the dead owner said was never committed.
    assert (ended.status, ended.text) == (CANCELLED, "")
    assert "log_reset" in kinds(events)
    await assert_whole(world, ended)
