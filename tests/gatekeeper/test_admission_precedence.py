"""Why an admission is refused: always by precedence, and for nothing but a record.

Rows G1, G2 and S4.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from dataclasses import replace

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.conftest import Keys
from tests.gatekeeper.money import Bank, spender, used
from tests.gatekeeper.serving import Gatekeeper, Tenant, serving, settings_for
from tests.gatekeeper.slow_link import SlowLink, slow_link
from tests.locks import held_up
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AdmitResponse
from turnpike.api.gatekeeper.v1.principal_pb2 import ApiKey
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls

PRECEDENCE = ("BANNED", "BUDGET_EXHAUSTED", "RATE_LIMITED", "CONCURRENCY_LIMITED")


@pytest.fixture(scope="module")
async def links(
    urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> AsyncGenerator[tuple[Gatekeeper, list[SlowLink]]]:
    """A gatekeeper, and its slow links to Postgres and Redis."""
    async with (
        slow_link(urls.service, 1) as (to_postgres, service_url),
        slow_link(valkey.url, 2) as (to_redis, redis_url),
    ):
        slowed = replace(urls, service=service_url)
        async with serving(settings_for(slowed, redis_url, keys), keys) as gatekeeper:
            yield gatekeeper, [to_postgres, to_redis]


@pytest.mark.parametrize(
    "gates",
    list(itertools.product([False, True], repeat=4)),
    ids=lambda gates: "".join("x" if each else "-" for each in gates),
)
async def test_g1_all_sixteen_combinations_with_random_delays(
    links: tuple[Gatekeeper, list[SlowLink]], bank: Bank, redis: Redis, gates: tuple[bool, ...]
):
    banned, over_cap, over_rate, no_slot = gates
    gatekeeper, slowed = links
    tenant = await gatekeeper.create_tenant(slots=1)
    member = (await tenant.create_key()).api_key
    await bank.limit(tenant, sync_per_minute=1, sync_burst=2 - over_rate)
    for link in slowed:
        link.most_seconds = 0.02
    if over_rate or no_slot:
        first = spender(tenant)
        await first.admit()
        if not no_slot:
            await first.release()
    if over_cap:
        await bank.budget(tenant, 0)
    if banned:
        await tenant.ban(member.principal.id)

    decided = await asyncio.gather(
        *(decision(tenant, member) for _ in range(8 if any(gates) else 1))
    )

    expected = next(
        (reason for gate, reason in zip(gates, PRECEDENCE, strict=True) if gate), "ADMITTED"
    )
    assert set(decided) == {expected}


async def decision(tenant: Tenant, key: ApiKey) -> str:
    turn = spender(tenant, principal=key.principal.id, key=key.id)
    outcome = (await asyncio.gather(turn.admit(), return_exceptions=True))[0]
    if isinstance(outcome, AdmitResponse):
        return "ADMITTED"
    return (await refusal(turn.admit())).reason


async def test_g2_a_thousand_banned_calls_leave_redis_byte_identical(
    tenant: Tenant, bank: Bank, redis: Redis
):
    await bank.limit(tenant, sync_per_minute=60, tokens_per_minute=1_000)
    await bank.budget(tenant, 1_000)
    await spender(tenant).admit()
    member = (await tenant.create_key()).api_key
    await tenant.ban(member.principal.id)
    for name in await redis.keys():
        # What nobody renews lapses, and a thousand calls take their time.
        await redis.persist(name)
    before = {name: await redis.dump(name) for name in await redis.keys()}

    for _ in range(10):
        await asyncio.gather(
            *(
                refusal(spender(tenant, principal=member.principal.id, key=member.id).admit())
                for _ in range(100)
            )
        )

    assert {name: await redis.dump(name) for name in await redis.keys()} == before
    assert len(before) >= 6


@pytest.mark.parametrize("reason", PRECEDENCE[1:])
async def test_g2_a_refusal_changes_nothing_and_is_recorded_for_whom_it_befell(
    tenant: Tenant, bank: Bank, redis: Redis, superuser: asyncpg.Connection, reason: str
):
    limits = {
        "BUDGET_EXHAUSTED": {"monthly_limit_micro_usd": 100},
        "RATE_LIMITED": {"sync_per_minute": 1, "sync_burst": 1},
        "CONCURRENCY_LIMITED": {"slots": 1, "sync_per_minute": 60},
    }[reason]
    await bank.limit(tenant, **limits)
    await spender(tenant).admit()
    before = {name: await redis.dump(name) for name in await redis.keys()}
    turn = spender(tenant, agent="poet", caller=tenant.principal)

    refused = await refusal(turn.admit())

    assert refused.reason == reason
    assert {name: await redis.dump(name) for name in await redis.keys()} == before

    async def recorded() -> bool:
        rows = await superuser.fetch("SELECT * FROM refusals WHERE turn = $1", turn.name)
        told = [(row["reason"], row["agent"], str(row["principal"])) for row in rows]
        return told == [(reason, "poet", tenant.principal)]

    await until(recorded)


async def test_s4_settlements_cannot_take_what_admissions_need(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """Forty settle again and again, and wait for a lock on every connection that they have.

    Behind them an admission would wait for longer than it may.
    """
    turn, other, stopped = spender(tenant), spender(tenant), asyncio.Event()
    await turn.admit()
    await turn.settle(used(1, 1, 1))

    async def go_on_settling() -> None:
        while not stopped.is_set():
            await asyncio.gather(turn.settle(used(2, 1, 1)), return_exceptions=True)

    async with asyncio.TaskGroup() as group, superuser.transaction():
        await superuser.execute("SELECT FROM accounts WHERE tenant = $1 FOR UPDATE", tenant.id)
        for _ in range(40):
            group.create_task(go_on_settling())
        await held_up(superuser, by=10)

        for _ in range(3):
            await other.admit()

        stopped.set()
