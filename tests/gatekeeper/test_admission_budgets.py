"""What a budget promises: never overshot, never charged twice, and told exactly.

Rows G6, G9, G12, G14 and G15 of the feature table.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import grpc
import pytest
from redis.asyncio import Redis

from tests.conftest import Keys
from tests.gatekeeper.money import MODEL, Bank, Turn, estimate, spender, used
from tests.gatekeeper.serving import Gatekeeper, Tenant, serving, settings_for
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AdmitResponse, ModelPrice, Prices
from turnpike.database.migration import MigrationUrls
from turnpike.rpc.errors import from_rpc_error


async def held(redis: Redis, tenant: Tenant, scope: str = "tenant:") -> int:
    """Returns what the turns above which a budget is hold."""
    return int(await redis.hget(f"gatekeeper:{{{tenant.id}}}:account", f"held:{scope}") or 0)


async def test_g6_fifty_at_once_hold_no_more_than_the_budget(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 1_000)
    turns = [spender(tenant, 100, 400) for _ in range(50)]

    outcomes = await asyncio.gather(*(turn.admit() for turn in turns), return_exceptions=True)

    admitted = [each for each in outcomes if isinstance(each, AdmitResponse)]
    assert sum(each.grant.hold_micro_usd for each in admitted) <= 1_000
    assert len(admitted) == 2


async def test_a_refusal_names_the_budget_and_when_it_begins_anew(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 100, "principal", tenant.principal, "day")
    await bank.budget(tenant, 100_000)

    refused = await refusal(spender(tenant, 200, 90).admit())

    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "BUDGET_EXHAUSTED",
    )
    resets = refused.metadata["resets"]
    assert resets.endswith("T00:00:00Z")
    assert dict(refused.metadata) == {
        "budget": "principal",
        "period": "day",
        "limit_micro_usd": "100",
        "left_micro_usd": "100",
        "resets": resets,
    }
    assert refused.retry_after
    assert timedelta(0) < refused.retry_after <= timedelta(days=1)


@pytest.mark.parametrize("scope", ["tenant", "principal", "key", "agent"])
async def test_every_budget_above_a_turn_holds(
    tenant: Tenant, bank: Bank, redis: Redis, scope: str
):
    subject = {
        "tenant": "",
        "principal": tenant.principal,
        "key": tenant.made.api_key.id,
        "agent": "poet",
    }[scope]
    await bank.budget(tenant, 150, scope, subject)
    await bank.budget(tenant, 10_000, "agent", "another")
    await spender(tenant, 10, 90, agent="poet").admit()

    refused = await refusal(spender(tenant, 60, 90, agent="poet").admit())

    assert refused.metadata["budget"] == scope
    assert refused.metadata["left_micro_usd"] == "50"
    for each in ("tenant:", f"principal:{tenant.principal}", "agent:poet"):
        assert await held(redis, tenant, each) == 100


async def test_anothers_budget_holds_nobody_else(tenant: Tenant, bank: Bank):
    other = (await tenant.create_key()).api_key
    await bank.budget(tenant, 1, "principal", other.principal.id)

    await spender(tenant, 100, 100).admit()


async def test_an_answer_is_clamped_to_what_is_left_and_the_caller_is_told(
    tenant: Tenant, bank: Bank
):
    await bank.budget(tenant, 500)

    response = await spender(tenant, 100, 4_000).admit()

    assert response.grant.max_output_tokens == 400
    assert response.grant.hold_micro_usd == 500


async def test_an_answer_that_fits_is_not_clamped(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 500)

    response = await spender(tenant, 100, 400).admit()

    assert not response.grant.HasField("max_output_tokens")


async def test_a_call_that_is_worth_nothing_is_refused_and_not_clamped(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 355)  # 255 tokens are left for the answer

    assert (await refusal(spender(tenant, 100, 4_000).admit())).reason == "BUDGET_EXHAUSTED"


async def test_the_dearest_way_to_send_a_prompt_is_held(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 10_000)
    prices = Prices(input=1_000_000, output=1_000_000, cached=100_000, cache_write=1_250_000)
    turn = spender(tenant, 1_000, 0, prices=[ModelPrice(model=MODEL, prices=prices)])

    response = await turn.admit()
    cost = await turn.settle(used(1, 1_000, 0, cache_write_tokens=1_000))

    assert response.grant.hold_micro_usd == cost == 1_250


async def test_without_a_budget_nothing_is_held_and_all_is_written_down(
    tenant: Tenant, bank: Bank, redis: Redis
):
    turn = spender(tenant)
    response = await turn.admit()
    await turn.settle(used(1, 10, 20))

    assert response.grant.hold_micro_usd == 0
    assert await held(redis, tenant) == 0
    assert [row["cost_micro_usd"] for row in await bank.billed(tenant)] == [30]


async def test_a_model_without_a_price_costs_the_default_and_never_nothing(
    tenant: Tenant, bank: Bank
):
    await bank.superuser.execute(
        "INSERT INTO overrides (tenant, default_input_price, default_output_price)"
        " VALUES ($1, 2000000, 3000000)",
        tenant.id,
    )
    await bank.budget(tenant, 10_000)
    turn = spender(tenant, 10, 10, prices=[])

    response = await turn.admit()
    await turn.settle(used(1, 10, 10))

    assert response.grant.default_prices
    assert response.grant.hold_micro_usd == 50
    [row] = await bank.billed(tenant)
    assert (row["cost_micro_usd"], row["default_price"]) == (50, True)


async def test_a_key_of_ones_own_costs_nothing_and_is_written_down(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 0)
    turn = spender(tenant, prices=[ModelPrice(model=MODEL, own_key=True)])

    response = await turn.admit()
    await turn.settle(used(1, 10, 20))

    assert response.grant.hold_micro_usd == 0
    [row] = await bank.billed(tenant)
    assert (row["cost_micro_usd"], row["own_key"], row["output_tokens"]) == (0, True, 20)


async def test_settling_lets_the_hold_fall_by_what_it_settles(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 1_000)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    await turn.extend(2, tokens=(20, 180))
    assert await held(redis, tenant) == 300

    assert await turn.settle(used(1, 10, 20)) == 30

    assert await held(redis, tenant) == 200
    assert await bank.spent(tenant) == 30


async def test_an_extension_is_repeated_without_holding_twice(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 1_000)
    turn = spender(tenant, 10, 90)
    await turn.admit()

    grants = [(await turn.extend(2)).grant for _ in range(3)]

    assert {grant.hold_micro_usd for grant in grants} == {200}
    assert await held(redis, tenant) == 200
    await turn.extend(2, attempt=2)
    assert await held(redis, tenant) == 300


async def test_an_extension_beyond_the_budget_is_refused_and_holds_nothing(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 150)
    turn = spender(tenant, 10, 90)
    await turn.admit()

    assert (await refusal(turn.extend(2))).reason == "BUDGET_EXHAUSTED"
    assert await held(redis, tenant) == 100


async def test_an_extension_finds_out_that_somebody_was_banned(tenant: Tenant):
    turn = spender(tenant)
    await turn.admit()
    await tenant.ban(tenant.principal)

    assert (await refusal(turn.extend(2))).reason == "BANNED"


async def test_an_extension_renews_the_slot(tenant: Tenant, redis: Redis):
    turn = spender(tenant)
    await turn.admit()
    before = await redis.zincrby(tenant.slots_key, -5_000, turn.name) or 0

    await turn.extend(2)

    assert (await redis.zscore(tenant.slots_key, turn.name) or 0) > before + 4_000


async def test_a_silent_holders_hold_counts_in_full_until_it_is_settled(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 500)
    silent = spender(tenant, 100, 300)
    await silent.admit()
    await redis.zincrby(tenant.slots_key, -60_000, silent.name)  # its slot has lapsed

    refused = await refusal(spender(tenant, 100, 300).admit())
    await silent.settle(used(1, 100, 10, estimated=True))
    await spender(tenant, 100, 290).admit()

    assert refused.reason == "BUDGET_EXHAUSTED"
    assert await redis.pttl(f"gatekeeper:{{{tenant.id}}}:account") == -1


async def test_a_turn_that_ended_with_nothing_to_settle_holds_nothing(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 500)
    turn = spender(tenant, 100, 300)
    await turn.admit()

    await turn.release(settled=False)
    assert await held(redis, tenant) == 400
    await turn.release(settled=True)
    assert await held(redis, tenant) == 0
    assert await redis.pttl(f"gatekeeper:{{{tenant.id}}}:turn:{turn.name}") > 0


async def test_a_settlement_that_ends_a_segment_leaves_nothing_held(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 1000)
    turn = spender(tenant, 100, 300)
    await turn.admit()
    await turn.extend(2)

    await turn.settle(used(1, 100, 10))
    assert await held(redis, tenant) > 0
    for _ in range(2):
        assert await turn.settle(used(1, 100, 10), ends=True) == 110
        assert await held(redis, tenant) == 0


async def test_settling_finds_the_ledger_even_when_the_hold_is_gone(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 500)
    turn = spender(tenant, 100, 300)
    await turn.admit()
    await redis.flushall()

    assert await turn.settle(used(1, 100, 50)) == 150
    assert await bank.spent(tenant) == 150


async def test_the_next_segment_carries_on_what_the_last_one_has_not_settled(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 1_000)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    await turn.release(1, settled=False)
    await turn.resume(2)
    assert await held(redis, tenant) == 200

    await turn.settle(used(1, 10, 10))
    assert await held(redis, tenant) == 100
    await turn.release(1, settled=True)  # comes late, and leaves the second alone
    assert await held(redis, tenant) == 100
    assert await redis.zscore(tenant.slots_key, turn.name)


async def test_a_released_segment_is_not_extended(tenant: Tenant):
    turn = spender(tenant)
    await turn.admit()
    await turn.release()

    refused = await refusal(turn.extend(2))

    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "SEGMENT_ENDED",
    )


async def test_a_plans_cap_counts_for_whoever_pays(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, monthly_limit_micro_usd=150)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    await turn.settle(used(1, 10, 90))

    refused = await refusal(spender(tenant, 60, 40).admit())

    assert (refused.reason, refused.metadata["left_micro_usd"]) == ("BUDGET_EXHAUSTED", "50")


async def test_a_budget_that_changes_does_so_for_the_next_admission(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 100)
    assert (await refusal(spender(tenant, 100, 50).admit())).reason == "BUDGET_EXHAUSTED"

    await bank.budget(tenant, 1_000)
    await spender(tenant, 100, 50).admit()
    await bank.budget(tenant, 0)

    assert (await refusal(spender(tenant).admit())).reason == "BUDGET_EXHAUSTED"


async def test_what_was_settled_after_the_read_counts(
    tenant: Tenant, bank: Bank, superuser: asyncpg.Connection, redis: Redis
):
    """The read of Postgres and the script are two moments: money settled between them has
    left the holds already, and is not in the sums that were read."""
    await bank.budget(tenant, 100)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    # As an admission sees it that has been to Postgres, and not to Redis yet.
    stale = await superuser.fetchrow(
        "SELECT version, changed, settled FROM read_standing("
        "$1, $2, NULL, NULL, NULL, '', 'sync', NULL, NULL, true)",
        tenant.id,
        tenant.principal,
    )
    assert stale is not None
    await turn.settle(used(1, 10, 90))

    account = await redis.hgetall(f"gatekeeper:{{{tenant.id}}}:account")

    assert int(account[b"settled"]) == stale["settled"] + 100
    assert int(account[b"version"]) > stale["version"]
    assert (await refusal(spender(tenant, 1, 0).admit())).reason == "BUDGET_EXHAUSTED"


@pytest.mark.parametrize("seed", [1, 2])
async def test_g14_every_boundary_replayed_ten_times_in_random_order(
    tenant: Tenant, bank: Bank, redis: Redis, seed: int
):
    await bank.budget(tenant, 100_000)
    rng = random.Random(seed)
    turns = [spender(tenant, 10, 90) for _ in range(4)]
    for turn in turns:
        await turn.admit()
        await turn.extend(2)
    boundaries = [
        (turn, used(step, 10, 10 * step, attempt))
        for turn in turns
        for step in (1, 2)
        for attempt in (1, 2)
    ] * 10
    rng.shuffle(boundaries)

    await asyncio.gather(*(turn.settle(usage) for turn, usage in boundaries))

    assert await bank.spent(tenant) == sum(10 + 10 * step for step in (1, 2)) * 2 * 4
    assert sum(row["cost_micro_usd"] for row in await bank.billed(tenant)) == 400
    for turn in turns:
        await turn.release()
    assert await held(redis, tenant) == 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_g14_admissions_extensions_beats_and_releases_come_in_any_order_too(
    tenant: Tenant, bank: Bank, redis: Redis, seed: int
):
    """Ten times each, late ones and those of a segment that has ended included."""
    await bank.budget(tenant, 100_000)
    rng = random.Random(seed)
    turns = [spender(tenant, 10, 90) for _ in range(3)]
    receipts = {turn.name: (await turn.admit()).grant.receipt for turn in turns}

    async def again(turn: Turn, boundary: int) -> None:
        calls: list[Callable[[], Awaitable[object]]] = [
            turn.admit,
            lambda: turn.extend(2),
            lambda: turn.settle(used(1, 10, 20)),
            lambda: turn.settle(used(2, 10, 40)),
            lambda: tenant.gatekeeper.beat(turn.request, receipt=receipts[turn.name]),
            turn.release,
        ]
        try:
            await calls[boundary]()
        except grpc.aio.AioRpcError as error:
            assert from_rpc_error(error).reason == "SEGMENT_ENDED"

    boundaries = [(turn, number) for turn in turns for number in range(6)] * 10
    rng.shuffle(boundaries)
    await asyncio.gather(*(again(*boundary) for boundary in boundaries))
    for turn in turns:
        await turn.settle(used(1, 10, 20), used(2, 10, 40))
        await turn.release()

    assert await bank.spent(tenant) == (30 + 50) * 3
    assert len(await bank.billed(tenant)) == 2 * 3
    assert await held(redis, tenant) == 0
    assert await redis.zcard(tenant.slots_key) == 0


@pytest.mark.parametrize("end", ["pause", "error", "cancel"])
async def test_g15_pause_error_and_cancel_bill_what_was_used_once(
    tenant: Tenant, bank: Bank, redis: Redis, end: str
):
    """To gatekeeper the three are one: settle, then release; tests/agent_runtime has the rest."""
    await bank.budget(tenant, 1_000)
    turn = spender(tenant, 10, 90)
    await turn.admit()

    for _ in range(3):
        await turn.settle(used(1, 10, 5, estimated=end != "pause"))
        await turn.release()

    assert await bank.spent(tenant) == 15
    assert await held(redis, tenant) == 0
    if end == "pause":
        await turn.resume(2)
        assert await held(redis, tenant) == 100


async def test_g12_who_pays_and_at_which_prices_is_fixed_at_admission(tenant: Tenant, bank: Bank):
    await bank.plan("g12-team", "team")
    await bank.plan("g12-enterprise", "enterprise")
    await bank.subscribe(tenant, "g12-team")
    turn = spender(tenant)
    await turn.admit()
    await bank.subscribe(tenant, "g12-enterprise", tenant.principal)

    resumed = await turn.resume(2)
    await turn.settle(used(1, 10, 10), segment=2)

    assert resumed.plan == "g12-team"
    assert resumed.snapshot == turn.response.snapshot
    [row] = await bank.billed(tenant)
    assert (row["plan"], row["payer"], row["cost_micro_usd"]) == ("g12-team", "tenant", 20)
    assert (await spender(tenant).admit()).plan == "g12-enterprise"


async def test_g12_a_snapshot_that_was_tampered_with_is_refused(tenant: Tenant):
    turn, other = spender(tenant), spender(tenant)
    sealed = (await turn.admit()).snapshot
    foreign = (await other.admit()).snapshot

    for place in range(0, len(sealed), 7):
        turn.response.snapshot = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        assert (await refusal(turn.settle(used(1, 1, 1)))).reason == "SNAPSHOT_INVALID"
    for bad in (foreign, b"x", sealed[:-1], sealed + b"\0"):
        turn.response.snapshot = bad
        for call in (turn.settle(used(1, 1, 1)), turn.extend(2), turn.resume(2)):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "SNAPSHOT_INVALID",
            )


async def test_a_receipt_is_no_snapshot(tenant: Tenant, bank: Bank):
    await bank.budget(tenant, 1_000)
    turn = spender(tenant)
    turn.response.snapshot = (await turn.admit()).grant.receipt

    assert (await refusal(turn.settle(used(1, 1, 1)))).reason == "SNAPSHOT_INVALID"


async def test_g9_no_budget_no_look_at_a_counter(
    gatekeeper: Gatekeeper, bank: Bank, superuser: asyncpg.Connection
):
    """No member row, no member sum: counted by the server."""
    tenants = [await gatekeeper.create_tenant() for _ in range(2)]
    capped = tenants[1]
    await bank.budget(capped, 1_000, "principal", capped.principal)
    look = "SELECT * FROM read_standing($1, $2, NULL, NULL, NULL, 'a', 'sync', NULL, NULL, true)"
    counted = []
    for tenant in tenants:
        async with superuser.transaction():
            looks = "SELECT coalesce(idx_scan, 0) + seq_scan FROM pg_stat_xact_user_tables"
            before = await superuser.fetchval(f"{looks} WHERE relname = 'counters'")
            await superuser.fetch(look, tenant.id, tenant.principal)
            after = await superuser.fetchval(f"{looks} WHERE relname = 'counters'")
            counted.append(after - before)

    assert counted == [0, 1]


async def test_g11_without_billing_caps_are_off_and_slots_and_ledger_are_not(
    unbilled: Gatekeeper, bank: Bank
):
    tenant = await unbilled.create_tenant(slots=1)
    await bank.budget(tenant, 0)
    turn = spender(tenant)
    await turn.admit()

    assert (await refusal(spender(tenant).admit())).reason == "CONCURRENCY_LIMITED"
    await turn.settle(used(1, 10, 10))
    assert await bank.spent(tenant) == 20


async def test_after_redis_lost_its_state_holds_come_back_by_their_receipts(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.budget(tenant, 250)
    turn = spender(tenant, 10, 90)
    receipt = (await turn.admit()).grant.receipt
    await redis.flushall()

    first = await tenant.gatekeeper.beat(turn.request)
    refused = await refusal(spender(tenant, 10, 90).admit())
    await tenant.gatekeeper.beat(turn.request, receipt=receipt)
    third = await tenant.gatekeeper.beat(turn.request, receipt=receipt)

    assert list(first.missing_holds) == [turn.name]
    assert refused.reason == "UNAVAILABLE"
    assert refused.retry_after
    assert timedelta(0) < refused.retry_after <= timedelta(seconds=2.5)
    assert list(third.missing_holds) == []
    assert await held(redis, tenant) == 100


async def test_a_forged_receipt_registers_nothing(tenant: Tenant, bank: Bank, redis: Redis):
    await bank.budget(tenant, 1_000)
    turn, other = spender(tenant), spender(tenant)
    await turn.admit()
    foreign = (await other.admit()).grant.receipt
    await redis.flushall()

    for receipt in (foreign, foreign[:-1] + b"\0", turn.response.snapshot):
        await tenant.gatekeeper.beat(turn.request, receipt=receipt)

    assert await held(redis, tenant) == 0


async def test_a_retried_admission_holds_once(tenant: Tenant, bank: Bank, redis: Redis):
    await bank.budget(tenant, 500)
    turn = spender(tenant, 100, 4_000)

    responses = [await turn.admit() for _ in range(3)]

    assert {response.grant.hold_micro_usd for response in responses} == {500}
    assert {response.grant.max_output_tokens for response in responses} == {400}
    assert await held(redis, tenant) == 500


async def test_an_estimate_beyond_what_redis_reckons_exactly_is_refused(tenant: Tenant):
    for bad in (
        spender(tenant, estimate=estimate(10_000_001, 1)),
        spender(tenant, estimate=estimate(1, 10_000_001)),
        spender(tenant, prices=[ModelPrice(model=MODEL, prices=Prices(input=900_000_001))]),
    ):
        assert (await refusal(bad.admit())).reason == "INVALID_ARGUMENT"


async def test_the_largest_numbers_are_reckoned_exactly(tenant: Tenant, bank: Bank):
    prices = Prices(input=899_999_999, output=899_999_999)
    limit = 17_999_999_979  # a micro-dollar less than both ends cost
    await bank.budget(tenant, limit)
    turn: Turn = spender(
        tenant, 10_000_000, 10_000_000, prices=[ModelPrice(model=MODEL, prices=prices)]
    )

    grant = (await turn.admit()).grant

    assert grant.max_output_tokens == 9_999_999
    assert grant.hold_micro_usd == 8_999_999_990 + -(-9_999_999 * 899_999_999 // 1_000_000)
    assert grant.hold_micro_usd <= limit


async def test_a_gatekeeper_dies_between_the_ledger_and_the_hold(
    tenant: Tenant, bank: Bank, redis: Redis, urls: MigrationUrls, keys: Keys
):
    """What it wrote is in the ledger, and the hold stands in full until it is settled again."""
    await bank.budget(tenant, 1_000)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    async with serving(settings_for(urls, "redis://127.0.0.1:1/0", keys), keys) as dying:
        request = turn.settlement(used(1, 10, 20))
        await refusal(dying.stub.Settle(request, metadata=dying.as_runtime))
    assert (await bank.spent(tenant), await held(redis, tenant)) == (30, 100)

    assert await turn.settle(used(1, 10, 20)) == 30

    assert (await bank.spent(tenant), await held(redis, tenant)) == (30, 0)
