"""What slots promise: never one more than there are, and none lost for long. Row G5."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import grpc
import pytest
from redis.asyncio import Redis

from tests.gatekeeper.money import Bank, spender
from tests.gatekeeper.serving import Gatekeeper, Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AdmitRequest, AdmitResponse


async def admitted_of(tenant: Tenant, turns: list[AdmitRequest]) -> list[AdmitRequest]:
    outcomes = await asyncio.gather(*map(tenant.admit, turns), return_exceptions=True)
    return [
        turn
        for turn, outcome in zip(turns, outcomes, strict=True)
        if isinstance(outcome, AdmitResponse)
    ]


@asynccontextmanager
async def beating(gatekeeper: Gatekeeper, running: list[AdmitRequest]) -> AsyncGenerator[None]:
    """Beats the hearts of turns all the time, as a runtime does."""

    async def beat() -> None:
        while True:
            await gatekeeper.renew(*running)

    hearts = asyncio.create_task(beat())
    yield
    hearts.cancel()
    await asyncio.wait([hearts])


async def test_g5_of_five_hundred_at_once_fifty_enter(gatekeeper: Gatekeeper, redis: Redis):
    tenant = await gatekeeper.create_tenant(slots=50)
    running = list[AdmitRequest]()

    async def ask() -> None:
        turn = tenant.turn()
        with contextlib.suppress(grpc.aio.AioRpcError):
            await tenant.admit(turn)
            running.append(turn)

    async with beating(gatekeeper, running):
        await asyncio.gather(*(ask() for _ in range(500)))

    assert len(running) == 50
    # A holder is killed: the others' hearts beat, and its slot lapses within the lease.
    for turn in running:
        await redis.zincrby(tenant.slots_key, -10_000, turn.turn)
    await gatekeeper.renew(*running[1:])
    assert len(await admitted_of(tenant, [tenant.turn() for _ in range(20)])) == 1
    # Released twice is released once.
    for _ in range(2):
        await tenant.release(running[1])
    assert len(await admitted_of(tenant, [tenant.turn() for _ in range(20)])) == 1


async def test_g5_redis_loses_everything_in_the_middle(
    gatekeeper: Gatekeeper, redis: Redis, superuser: asyncpg.Connection
):
    tenant = await gatekeeper.create_tenant(slots=50)
    running = await admitted_of(tenant, [tenant.turn() for _ in range(100)])
    await superuser.execute(
        "UPDATE tenants SET active_from = active_from - interval '5 seconds' WHERE tenant = $1",
        tenant.id,
    )
    # Ten end, and forty go on.
    for turn in running[40:]:
        await tenant.release(turn)
    running, entered = running[:40], list[AdmitRequest]()

    await redis.flushall()

    async def all_slots_taken() -> bool:
        await gatekeeper.renew(*running, *entered)
        entered.extend(await admitted_of(tenant, [tenant.turn() for _ in range(30)]))
        assert len(running) + len(entered) <= 50
        return len(entered) == 10

    await until(all_slots_taken)


async def test_g5_redis_loses_everything_in_a_tenants_first_seconds(
    gatekeeper: Gatekeeper, redis: Redis, bank: Bank
):
    """Its first admissions may overtake each other; those after the loss may not pass for them."""
    tenant = await gatekeeper.create_tenant(slots=50)
    await bank.budget(tenant, 1_000)
    running = spender(tenant, 100, 900)
    await running.admit()

    await redis.flushall()
    entered = await admitted_of(tenant, [tenant.turn() for _ in range(20)])
    spending = await refusal(spender(tenant, 100, 900).admit())

    assert entered == []
    assert spending.reason == "UNAVAILABLE"


@pytest.mark.parametrize("seed", range(3))
async def test_g5_redis_loses_everything_under_five_hundred(
    gatekeeper: Gatekeeper, redis: Redis, seed: int
):
    """When some run, whose hearts beat on, and the others ask at once."""
    tenant = await gatekeeper.create_tenant(slots=50)
    before = random.Random(seed).randint(1, 49)
    running = await admitted_of(tenant, [tenant.turn() for _ in range(before)])

    async def ask() -> None:
        turn = tenant.turn()
        with contextlib.suppress(grpc.aio.AioRpcError):
            await tenant.admit(turn)
            running.append(turn)

    await redis.flushall()
    async with beating(gatekeeper, running):
        for _ in range(3):
            await asyncio.gather(*(ask() for _ in range(150)))

    assert before <= len(running) <= 50


async def test_a_personal_plans_slots_are_the_principals(tenant: Tenant, bank: Bank):
    await bank.plan("two-slots", slots=2)
    principal = (await tenant.create_key()).api_key.principal.id
    await bank.subscribe(tenant, "two-slots", principal)
    turns = [spender(tenant, principal=principal, key="") for _ in range(3)]
    for turn in turns[:2]:
        await turn.admit()

    refused = await refusal(turns[2].admit())
    await spender(tenant).admit()
    await turns[0].release()
    await turns[2].admit()

    assert dict(refused.metadata) == {"slots": "2", "scope": "principal"}


async def test_an_organisations_plan_says_how_many_slots_its_tenant_has(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, slots=1)
    await tenant.admit()

    assert (await refusal(tenant.admit())).metadata["slots"] == "1"
    await bank.superuser.execute("INSERT INTO overrides (tenant, slots) VALUES ($1, 2)", tenant.id)
    await tenant.admit()
    assert (await refusal(tenant.admit())).metadata["slots"] == "2"


async def test_g2_a_want_of_slots_takes_nothing_of_a_rate(tenant: Tenant, bank: Bank):
    """Row G2: what is taken last refuses, and what was asked before is not spent."""
    await bank.limit(tenant, slots=1, sync_per_minute=1, sync_burst=2)
    running = spender(tenant)
    await running.admit()
    for _ in range(10):
        assert (await refusal(spender(tenant).admit())).reason == "CONCURRENCY_LIMITED"
    await running.release()

    await spender(tenant).admit()

    with_none_left = await refusal(spender(tenant).admit())
    assert (with_none_left.code, with_none_left.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
    )
