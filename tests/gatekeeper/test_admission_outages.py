"""What each gate decides while Postgres or Redis is really away. Row G3.

Infrastructure trouble is UNAVAILABLE with a time to wait; it is never a 402 or a 403, and
never a better or a worse plan.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import asyncpg
import grpc
import pytest

from tests.conftest import FLEETING, Keys, Schemas
from tests.gatekeeper.money import Bank, spender, used
from tests.gatekeeper.serving import Gatekeeper, Tenant, serving, settings_for
from tests.waiting import refusal, until
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.rpc.errors import from_rpc_error

GATEKEEPER = {"search_path": "gatekeeper"}


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[LocalPostgres]:
    """A Postgres to stop."""
    with LocalPostgres(tmp_path_factory.mktemp("postgres"), settings=FLEETING) as server:
        yield server


@pytest.fixture
async def frail(
    database: LocalPostgres, cache: LocalRedis, keys: Keys
) -> AsyncGenerator[Gatekeeper]:
    """One of two gatekeepers, that has them to itself."""
    urls = await Schemas(database.url).of("gatekeeper")
    async with serving(settings_for(urls, cache.url, keys, replicas=2), keys) as gatekeeper:
        yield gatekeeper


@pytest.fixture
async def vault(database: LocalPostgres) -> AsyncGenerator[Bank]:
    """Sets plans and budgets there."""
    connection = await asyncpg.connect(database.url, server_settings=GATEKEEPER)
    yield Bank(connection)
    await connection.close()


async def decide(tenant: Tenant, principal: str = "") -> str:
    try:
        await spender(tenant, principal=principal or tenant.principal, key="").admit()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            metadata = dict(error.trailing_metadata() or ())
            assert int(metadata["grpc-retry-pushback-ms"]) > 0
            return "UNAVAILABLE"
        return from_rpc_error(error).reason
    return "ADMITTED"


@pytest.mark.parametrize("gate", ["ban", "usage", "rate", "concurrency"])
async def test_g3_while_postgres_is_away_every_gate_is_closed(
    frail: Gatekeeper, database: LocalPostgres, vault: Bank, gate: str
):
    tenant = await frail.create_tenant(slots=1)
    limits = {"sync_per_minute": 1, "sync_burst": 1} if gate == "rate" else {}
    await vault.limit(tenant, **limits)
    if gate == "usage":
        await vault.budget(tenant, 0)
    else:
        await spender(tenant).admit()
    if gate == "ban":
        await tenant.ban(tenant.principal)

    await asyncio.to_thread(database.stop)
    try:
        assert await decide(tenant) == "UNAVAILABLE"
    finally:
        await asyncio.to_thread(database.start)

    expected = {
        "ban": "BANNED",
        "usage": "BUDGET_EXHAUSTED",
        "rate": "RATE_LIMITED",
        "concurrency": "CONCURRENCY_LIMITED",
    }[gate]

    async def decided() -> bool:
        return await decide(tenant) == expected

    await until(decided)


@pytest.mark.parametrize("away", ["postgres", "redis", "both"])
async def test_g3_what_has_a_budget_is_never_refused_for_an_outage_and_loses_nothing(
    frail: Gatekeeper, database: LocalPostgres, cache: LocalRedis, vault: Bank, away: str
):
    """Each call of a turn: UNAVAILABLE with a time to wait, and what was used is billed once."""
    tenant = await frail.create_tenant()
    await vault.budget(tenant, 1_000)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    stopped = {"postgres": [database], "redis": [cache], "both": [database, cache]}[away]
    calls = (
        lambda: spender(tenant, key="").admit(),
        lambda: turn.extend(2),
        lambda: turn.settle(used(1, 10, 20)),
        lambda: frail.renew(turn.request),
    )

    for server in stopped:
        await asyncio.to_thread(server.stop)
    try:
        refused = [await refusal(call()) for call in calls]
    finally:
        for server in stopped:
            await asyncio.to_thread(server.start)

    assert {(each.code, each.reason) for each in refused} == {
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    }
    assert all(each.retry_after for each in refused)

    async def settled() -> bool:
        try:
            return await turn.settle(used(1, 10, 20)) == 30
        except grpc.aio.AioRpcError:
            return False

    await until(settled)
    connection = await asyncpg.connect(database.url, server_settings=GATEKEEPER)
    assert await Bank(connection).spent(tenant) == 30
    await connection.close()


async def test_g3_while_redis_is_away_a_ban_is_named(
    frail: Gatekeeper, cache: LocalRedis, vault: Bank
):
    tenant = await frail.create_tenant()
    await vault.budget(tenant, 0)
    member = (await tenant.create_key()).api_key.principal.id
    await tenant.ban(member)

    await asyncio.to_thread(cache.stop)

    assert await decide(tenant, member) == "BANNED"


async def test_g3_while_redis_is_away_a_spent_budget_is_named_and_others_are_closed(
    frail: Gatekeeper, cache: LocalRedis, vault: Bank
):
    spent, fresh = [await frail.create_tenant() for _ in range(2)]
    await vault.budget(spent, 0)
    await vault.budget(fresh, 1_000_000)

    await asyncio.to_thread(cache.stop)

    assert await decide(spent) == "BUDGET_EXHAUSTED"
    assert await decide(fresh) == "UNAVAILABLE"


async def test_g3_while_redis_is_away_a_rate_falls_to_this_replicas_share(
    frail: Gatekeeper, cache: LocalRedis, vault: Bank
):
    tenant = await frail.create_tenant()
    await vault.limit(tenant, sync_per_minute=2, sync_burst=10)

    await asyncio.to_thread(cache.stop)
    decided = [await decide(tenant) for _ in range(8)]

    assert decided == ["ADMITTED"] * 5 + ["RATE_LIMITED"] * 3


async def test_g3_while_redis_is_away_slots_fall_to_this_replicas_share(
    frail: Gatekeeper, cache: LocalRedis
):
    tenant = await frail.create_tenant(slots=8)
    running = tenant.turn()
    await tenant.admit(running)
    await frail.renew(running)

    await asyncio.to_thread(cache.stop)
    decided = [await decide(tenant) for _ in range(5)]

    assert decided == ["ADMITTED"] * 3 + ["CONCURRENCY_LIMITED"] * 2


async def test_g3_a_rate_is_named_before_what_is_down(
    frail: Gatekeeper, cache: LocalRedis, vault: Bank
):
    """Also where the budget cannot be looked at: by precedence, and nothing is consumed."""
    tenant = await frail.create_tenant()
    await vault.limit(tenant, sync_per_minute=2, sync_burst=2)
    await asyncio.to_thread(cache.stop)
    assert await decide(tenant) == "ADMITTED"  # the share of the burst
    await vault.budget(tenant, 1_000_000)

    assert await decide(tenant) == "RATE_LIMITED"


async def test_g3_while_redis_is_away_what_runs_goes_on_where_nothing_is_held(
    frail: Gatekeeper, cache: LocalRedis, vault: Bank
):
    free, capped = [await frail.create_tenant() for _ in range(2)]
    await vault.budget(capped, 1_000_000)
    turns = [spender(tenant) for tenant in (free, capped)]
    for turn in turns:
        await turn.admit()

    await asyncio.to_thread(cache.stop)

    await turns[0].extend(2)
    refused = await refusal(turns[1].extend(2))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert refused.retry_after == timedelta(seconds=1)


async def test_what_was_written_while_redis_was_away_is_settled_once(
    frail: Gatekeeper, cache: LocalRedis, vault: Bank
):
    """The ledger has it, the hold stands; whoever settles again lets the hold fall."""
    tenant = await frail.create_tenant()
    await vault.budget(tenant, 100)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    await asyncio.to_thread(cache.stop)
    refused = await refusal(turn.settle(used(1, 10, 20)))
    assert await vault.spent(tenant) == 30
    await asyncio.to_thread(cache.start)

    assert await turn.settle(used(1, 10, 20)) == 30

    assert refused.reason == "UNAVAILABLE"
    assert await vault.spent(tenant) == 30
