"""What turns use is granted before, and billed once after, whatever happens between."""

import asyncio
import random
from collections.abc import AsyncGenerator
from uuid import UUID

import grpc
import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.books import Books, opened
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.world import Served, World, begin, cancel, kinds, watching
from tests.waiting import refusal, until
from turnpike.agent_runtime.turns import rows
from turnpike.agent_runtime.turns.model import Spend, Usage
from turnpike.api.agent_runtime.v1.model_service_pb2 import Prices
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
FAILED = TurnStatus.TURN_STATUS_FAILED
CANCELLED = TurnStatus.TURN_STATUS_CANCELLED

PRICES = Prices(input=1_000_000, output=2_000_000)
"""A micro-dollar for a prompt's token, two for an answer's."""

PLENTY = 1_000_000
FATES = ("answer", "cancel", "refuse", "cut")
NO_TOOL = "no__tool"
"""A call that the runtime answers itself."""


@pytest.fixture
async def books(world: World) -> AsyncGenerator[Books]:
    """Gatekeeper's books."""
    async with opened(world) as books:
        yield books


async def priced(world: World, tenant: Tenant, books: Books, budget: int = PLENTY) -> Tenant:
    """Gives a tenant's model prices, and the tenant a budget."""
    await tenant.model(provider="openai", model="m", base_url=world.provider.url, prices=PRICES)
    await books.budget(tenant, budget)
    return tenant


@pytest.fixture
async def tenant(world: World, here: Served, books: Books) -> Tenant:
    """A tenant whose model has prices, with a budget."""
    return await priced(world, await world.tenant(here), books)


async def begun(world: World, tenant: Tenant, provider: Provider) -> tuple[Turn, Ask]:
    """Starts a turn; returns it with its first model call, once its admission is kept."""
    turn, ask = await begin(tenant, provider)

    async def is_kept() -> bool:
        return (await world.row(turn.id))["admitted"] == 1

    await until(is_kept)
    return turn, ask


async def test_each_step_is_billed_once_and_nothing_stays_held(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    assert await books.held(tenant) > 0
    ask.call(NO_TOOL)
    ask.end(tokens=(100, 10), reason="tool_calls")
    ask = await provider.asked()
    ask.say("done")
    ask.end(tokens=(130, 5))
    await tenant.ended(turn.id)

    assert await books.settled(tenant, turn.id) == [
        (1, 1, False, 100, 10, 120),
        (2, 1, False, 130, 5, 140),
    ]


async def test_a_try_that_was_cut_is_billed_beside_the_one_that_went_well(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("one")
        await reader.reads("one")
        ask.cut()
        (await provider.asked()).answer("whole")
        await reader.ends()

    entries = await books.settled(tenant, turn.id)
    assert [entry[:3] for entry in entries] == [(1, 1, True), (1, 2, False)]
    assert entries[0][4] == 1


async def test_g15_a_turn_that_is_cancelled_is_billed_what_was_said(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("some")
        await reader.reads("some")
        await cancel(tenant, turn.id)

    ((step, attempt, estimated, _, output, _),) = await books.settled(tenant, turn.id)
    assert (step, attempt, estimated, output) == (1, 1, True, 1)


async def test_a_call_that_is_cancelled_before_it_says_anything_has_had_its_prompt(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, _ = await begin(tenant, provider, text="a prompt of some length" * 10)
    await cancel(tenant, turn.id)

    ((_, _, estimated, prompt, output, cost),) = await books.settled(tenant, turn.id)
    assert (estimated, output) == (True, 0)
    assert prompt == cost > 50
    # Nothing was said: there is no message of it.
    assert await books.world.count("steps WHERE turn = '" + turn.id + "'") == 0


async def test_a_call_that_is_refused_costs_nothing(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    ask.refuse(400)
    assert (await tenant.ended(turn.id)).status == FAILED

    assert await books.settled(tenant, turn.id) == []


async def test_g15_an_error_in_the_middle_bills_what_was_used_before(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    ask.call(NO_TOOL)
    ask.end(tokens=(100, 10), reason="tool_calls")
    (await provider.asked()).refuse(400)
    assert (await tenant.ended(turn.id)).status == FAILED

    assert await books.settled(tenant, turn.id) == [(1, 1, False, 100, 10, 120)]


async def test_a_model_without_a_price_is_charged_at_the_default_and_that_is_said(
    world: World, here: Served, provider: Provider, books: Books
):
    tenant = await world.tenant(here)
    turn, ask = await begin(tenant, provider)
    ask.say("done")
    ask.end(tokens=(100, 10))
    await tenant.ended(turn.id)

    assert await books.settled(tenant, turn.id) == [(1, 1, False, 100, 10, 1500 + 750)]
    (used,) = [event.usage for event in await world.log(turn.id) if event.HasField("usage")]
    assert used.default_prices


async def test_the_built_in_model_costs_nothing_and_that_is_known(
    world: World, here: Served, books: Books
):
    tenant = await world.tenant(here)
    await tenant.model(provider="scripted", model="built-in")
    await books.budget(tenant, 1)

    turn = await tenant.ended((await tenant.start("hello")).id)

    assert turn.status == COMPLETED
    ((*_, estimated, asked, answered, cost),) = await books.settled(tenant, turn.id)
    assert (estimated, cost) == (False, 0)
    assert asked > 0
    assert answered > 0
    (used,) = [event.usage for event in await world.log(turn.id) if event.HasField("usage")]
    assert not used.default_prices


async def test_who_takes_over_bills_what_the_dead_owner_said(
    world: World, provider: Provider, books: Books
):
    async with world.replica() as first, world.replica() as second:
        tenant = await priced(world, await world.tenant(first), books)
        turn, ask = await begin(tenant, provider, text="x" * 400)
        async with watching(tenant.on(second.runtime), turn.id) as reader:
            ask.say("of the first")
            await reader.reads("of the first")
            await world.declare_dead(first)
            (await provider.asked()).answer("of the second")
            await reader.ends()

        entries = await books.settled(tenant, turn.id)
        assert entries == [
            (1, 1, True, 100, 3, 106),
            (1, 2, False, 7, 5, 17),
        ]


async def test_what_a_dead_owner_said_is_billed_though_the_turn_is_cancelled(
    world: World, provider: Provider, books: Books
):
    async with world.replica() as first:
        tenant = await priced(world, await world.tenant(first), books)
        turn, ask = await begin(tenant, provider, text="x" * 400)
        async with watching(tenant, turn.id) as reader:
            ask.say("of the first")
            await reader.reads("of the first")
            await world.superuser.execute(
                "UPDATE turns SET owner = NULL, desired = 'cancel',"
                " due_at = statement_timestamp() WHERE id = $1",
                UUID(turn.id),
            )
            await reader.ends()

        assert await books.settled(tenant, turn.id) == [(1, 1, True, 100, 3, 106)]


async def test_two_dead_owners_are_two_tries(world: World, provider: Provider, books: Books):
    async with world.replica() as first:
        tenant = await priced(world, await world.tenant(first), books)
        turn, ask = await begin(tenant, provider, text="x" * 400)
        async with watching(tenant, turn.id) as reader:
            for said in ("one", "two"):
                ask.say(said)
                await reader.reads(said)
                await world.superuser.execute(
                    "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
                    UUID(turn.id),
                )
                ask = await provider.asked()
            ask.answer("three")
            await reader.ends()

        entries = await books.settled(tenant, turn.id)
        assert [entry[:3] for entry in entries] == [(1, 1, True), (1, 2, True), (1, 3, False)]


async def test_whatever_is_settled_again_is_billed_once(
    world: World, tenant: Tenant, provider: Provider, books: Books
):
    # As when replicas die between what gatekeeper answers and what they delete.
    turn, ask = await begin(tenant, provider)
    ask.call(NO_TOOL)
    ask.end(tokens=(100, 10), reason="tool_calls")
    ask = await provider.asked()
    ask.say("done")
    ask.end(tokens=(130, 5))
    await tenant.ended(turn.id)
    before = await books.settled(tenant, turn.id)
    entries = [(1, 100, 10), (2, 130, 5)]
    replayed = [rows.owed([spend(*each)]) for each in entries] * 10
    random.shuffle(replayed)
    for number, entry in enumerate(replayed):
        await world.superuser.execute(
            "INSERT INTO usage_outbox (tenant, turn, segment, snapshot, entries, ends)"
            " SELECT tenant, id, 1, snapshot, $2, $3 FROM turns WHERE id = $1",
            UUID(turn.id),
            entry,
            number % 3 == 0,
        )

    assert await books.settled(tenant, turn.id) == before


def spend(step: int, prompt: int, answer: int) -> Spend:
    """Returns what a step's model call used."""
    usage = Usage(input_tokens=prompt, output_tokens=answer)
    return Spend(step=step, attempt=1, model="model", usage=usage)


async def test_g14_what_cannot_be_settled_now_is_settled_later(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    async with books.connection.transaction():
        await books.connection.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
        ask.say("done")
        ask.end(tokens=(100, 10))
        # The turn's end waits for nobody's ledger.
        await tenant.ended(turn.id)
        assert await books.owed(turn.id) == 1
        assert await books.held(tenant) > 0

    assert await books.settled(tenant, turn.id) == [(1, 1, False, 100, 10, 120)]


async def test_who_sees_that_a_turn_has_ended_finds_it_paid_and_its_slot_free(
    tenant: Tenant, provider: Provider, books: Books, monkeypatch: pytest.MonkeyPatch
):
    # An end waits half a second for it at most, which may pass on a loaded machine.
    monkeypatch.setattr("turnpike.agent_runtime.turns.settling._END_PATIENCE_SECONDS", 15.0)
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("done")
        ask.end(tokens=(100, 10))
        await reader.until(lambda each: "turn_finished" in kinds(each.events))

    assert await books.entries(turn.id) == [(1, 1, False, 100, 10, 120)]
    assert (await books.slots(tenant), await books.held(tenant)) == (0, 0)
    await books.settled(tenant, turn.id)


async def test_a_turn_that_is_over_budget_is_refused_and_asks_nobody(
    world: World, here: Served, provider: Provider, books: Books
):
    tenant = await priced(world, await world.tenant(here), books, budget=5)
    asks = len(provider.asks)

    error = await refusal(tenant.start("x" * 1000))

    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BUDGET_EXHAUSTED")
    assert [(quota.metric, quota.limit) for quota in error.quota] == [("micro_usd", 5)]
    refused = await tenant.turn(error.metadata["turn"])
    assert refused.status == TurnStatus.TURN_STATUS_REFUSED
    assert refused.error.reason == "BUDGET_EXHAUSTED"
    assert len(provider.asks) == asks
    assert await books.slots(tenant) == await books.owed(refused.id) == 0


async def test_what_is_left_of_a_budget_is_the_limit_of_the_answer(
    world: World, here: Served, provider: Provider, books: Books
):
    tenant = await priced(world, await world.tenant(here), books, budget=3000)
    turn, ask = await begin(tenant, provider)
    limit = ask.body["max_tokens"]
    prompt = 3000 - await books.held(tenant)
    ask.answer("done")
    await tenant.ended(turn.id)

    # Each token costs two, and the prompt has some of it.
    assert 0 < limit < 1500
    assert prompt >= 0
    await books.settled(tenant, turn.id)


async def test_without_a_budget_no_limit_is_sent(world: World, here: Served, provider: Provider):
    tenant = await world.tenant(here)
    turn, ask = await begin(tenant, provider)
    ask.answer("done")
    await tenant.ended(turn.id)

    assert "max_tokens" not in ask.body


async def test_a_budget_that_ends_in_the_middle_ends_the_turn_after_its_steps(
    world: World, here: Served, provider: Provider, books: Books
):
    tenant = await priced(world, await world.tenant(here), books, budget=20_000)
    turn, ask = await begin(tenant, provider)
    ask.say("as far as it went")
    ask.call(NO_TOOL)
    ask.end(tokens=(19_000, 400), reason="tool_calls")
    ended = await tenant.ended(turn.id)

    assert (ended.status, ended.error.reason) == (FAILED, "BUDGET_EXHAUSTED")
    assert ended.text == "as far as it went"
    assert await books.settled(tenant, turn.id) == [(1, 1, False, 19_000, 400, 19_800)]


async def test_who_is_banned_in_the_middle_is_asked_for_nothing_more(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("a word")
        await reader.reads("a word")
        await tenant.made.ban(tenant.made.principal)
        await reader.ends()

    row = await books.world.row(turn.id)
    assert (row["status"], row["error_reason"]) == ("FAILED", "BANNED")
    assert len(await books.settled(tenant, turn.id)) == 1


async def test_g12_a_turn_is_billed_to_whom_it_was_admitted_for_whatever_changed_since(
    world: World, provider: Provider, books: Books
):
    async with world.replica() as first:
        tenant = await priced(world, await world.tenant(first), books)
        plan = await books.plan(tenant)
        turn, ask = await begun(world, tenant, provider)
        async with watching(tenant, turn.id) as reader:
            ask.say("one")
            await reader.reads("one")
            # It is nobody's for a while, and everything changes.
            await world.superuser.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp()"
                " + interval '1 second' WHERE id = $1",
                UUID(turn.id),
            )
            assert await books.plan(tenant) != plan
            dear = Prices(input=90_000_000, output=90_000_000)
            await tenant.model(
                provider="openai", model="m", base_url=world.provider.url, prices=dear
            )
            ask = await provider.asked()
            ask.say("two")
            ask.end(tokens=(100, 10))
            await reader.ends()

        entries = await books.settled(tenant, turn.id)
        assert {row["plan"] for row in await books.rows(turn.id)} == {plan}
        assert entries[-1] == (1, 2, False, 100, 10, 120)


async def test_g12_a_snapshot_that_was_tampered_with_is_refused(
    world: World, provider: Provider, books: Books
):
    async with world.replica() as first:
        tenant = await priced(world, await world.tenant(first), books)
        turn, _ = await begun(world, tenant, provider)
        await world.superuser.execute(
            "UPDATE turns SET owner = NULL, due_at = statement_timestamp(),"
            " snapshot = set_byte(snapshot, 20, get_byte(snapshot, 20) # 1) WHERE id = $1",
            UUID(turn.id),
        )
        ended = await tenant.ended(turn.id)

    assert (ended.status, ended.error.reason) == (FAILED, "SNAPSHOT_INVALID")
    assert await books.entries(turn.id) == []


async def test_a_later_segment_is_admitted_under_the_first_ones_snapshot(
    world: World, provider: Provider, books: Books
):
    async with world.replica() as first:
        tenant = await priced(world, await world.tenant(first), books)
        turn, ask = await begun(world, tenant, provider)
        ask.call(NO_TOOL)
        ask.end(tokens=(100, 10), reason="tool_calls")
        await provider.asked()
        # What a pause does with its own commit.
        async with world.superuser.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT end_segment('OK', tenant, id, '[]') FROM turns WHERE id = $1",
                UUID(turn.id),
            )
            await connection.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1",
                UUID(turn.id),
            )
        ask = await provider.asked()
        ask.say("done")
        ask.end(tokens=(130, 5))
        await tenant.ended(turn.id)

        entries = await books.settled(tenant, turn.id)
        segments = [row["segment"] for row in await books.rows(turn.id)]
        assert entries[0] == (1, 1, False, 100, 10, 120)
        assert entries[-1][:3] == (2, 2, False)
        assert segments[0] == 1
        assert segments[-1] == 2
        assert (await world.row(turn.id))["segment"] == 2


async def test_holds_that_redis_lost_are_brought_back_by_the_turns_that_run(
    tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    held = await books.held(tenant)
    await books.redis.flushall()

    async def is_back() -> bool:
        return await books.held(tenant) == held and await books.slots(tenant) == 1

    await until(is_back)
    ask.call(NO_TOOL)
    ask.end(tokens=(100, 10), reason="tool_calls")
    ask = await provider.asked()
    ask.say("done")
    ask.end(tokens=(130, 5))
    assert (await tenant.ended(turn.id)).status == COMPLETED

    assert len(await books.settled(tenant, turn.id)) == 2


async def test_while_gatekeeper_is_away_a_turn_goes_on_with_what_its_grant_covers(
    world: World, tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    async with world.admission_held():
        ask.call(NO_TOOL)
        ask.end(tokens=(10, 1000), reason="tool_calls")
        ask = await provider.asked()
        limit = ask.body["max_tokens"]
    ask.answer("done")
    await tenant.ended(turn.id)

    # What the first call left of its own grant.
    assert 0 < limit < 8192
    await books.settled(tenant, turn.id)


async def test_while_gatekeeper_is_away_nobody_spends_what_was_not_granted(
    world: World, tenant: Tenant, provider: Provider, books: Books
):
    turn, ask = await begin(tenant, provider)
    asks = len(provider.asks)
    async with world.admission_held() as awaited:
        ask.call(NO_TOOL)
        # Nearly all that was granted.
        ask.end(tokens=(10, 8150), reason="tool_calls")
        await awaited()
        await until(lambda: here_is_retrying(world))
        assert len(provider.asks) == asks
    (await provider.asked()).answer("done")
    await tenant.ended(turn.id)

    assert len(await books.settled(tenant, turn.id)) == 2


async def here_is_retrying(world: World) -> bool:
    """Says whether nothing but the lock is waited for."""
    return await world.superuser.fetchval(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    )


async def test_after_many_starts_ends_and_errors_nothing_is_held_or_lost(
    world: World, tenant: Tenant, provider: Provider, books: Books
):
    """A twentieth of the thousand cycles; `make faults` kills owners in between."""
    turns: list[str] = []
    for cycle in range(48):
        turn, ask = await begin(tenant, provider)
        turns.append(turn.id)
        match FATES[cycle % len(FATES)]:
            case "answer":
                ask.answer("done")
            case "cancel":
                ask.say("a word")
                await cancel(tenant, turn.id)
            case "refuse":
                ask.refuse(400)
            case _:
                ask.say("a word")
                ask.cut()
                (await provider.asked()).answer("done")
    ended = await asyncio.gather(*(tenant.ended(turn) for turn in turns))

    async def nothing_is_held() -> bool:
        return await books.slots(tenant) == 0 and await books.held(tenant) == 0

    await until(nothing_is_held)
    assert {turn.status for turn in ended} == {COMPLETED, CANCELLED, FAILED}
    for turn in turns:
        await books.settled(tenant, turn)
    assert "usage" in kinds(await world.log(turns[0]))


async def test_the_rest_of_a_hold_falls_after_everything_is_settled(
    world: World, tenant: Tenant, provider: Provider, books: Books
):
    # A row of the segment is another replica's, which is slow.
    turn, ask = await begun(world, tenant, provider)
    row = await world.superuser.fetchval(
        "INSERT INTO usage_outbox (tenant, turn, segment, snapshot, entries, ends, due_at)"
        " SELECT tenant, id, 1, snapshot, $2, false, 'infinity' FROM turns WHERE id = $1"
        " RETURNING id",
        UUID(turn.id),
        rows.owed([spend(7, 100, 10)]),
    )
    ask.say("done")
    ask.end(tokens=(100, 10))
    await tenant.ended(turn.id)

    async def is_settled() -> bool:
        return len(await books.entries(turn.id)) == 1

    await until(is_settled)

    async def was_tried() -> bool:
        return await world.superuser.fetchval(
            "SELECT count(*) > 0 FROM usage_outbox WHERE turn = $1 AND ends AND tries > 1",
            UUID(turn.id),
        )

    await until(was_tried)
    assert await books.owed(turn.id) == 2

    await world.superuser.execute(
        "UPDATE usage_outbox SET due_at = statement_timestamp() WHERE id = $1", row
    )

    async def nothing_is_owed() -> bool:
        return await books.owed(turn.id) == 0

    await until(nothing_is_owed)
    assert await books.held(tenant) == 0
    assert len(await books.entries(turn.id)) == 2


async def test_no_commit_comes_before_the_snapshot_is_kept(
    world: World, tenant: Tenant, provider: Provider, books: Books
):
    async with world.superuser.acquire() as connection, connection.transaction():
        # Whoever keeps a snapshot writes the turn; nobody else does until the end.
        await connection.execute(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.admitted <> OLD.admitted THEN PERFORM pg_sleep(0.5); END IF;"
            " RETURN NEW; END $$"
        )
        await connection.execute(
            "CREATE TRIGGER slowly BEFORE UPDATE ON turns FOR EACH ROW EXECUTE FUNCTION slowly()"
        )
    try:
        turn, ask = await begin(tenant, provider)
        ask.say("done")
        ask.end(tokens=(100, 10))
        await tenant.ended(turn.id)
    finally:
        await world.superuser.execute("DROP FUNCTION slowly CASCADE")

    assert await books.settled(tenant, turn.id) == [(1, 1, False, 100, 10, 120)]
