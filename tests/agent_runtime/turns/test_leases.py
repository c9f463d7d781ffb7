"""A replica that was stopped for a while, and does not know yet whether it was declared dead."""

import asyncio

import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.world import Served, World
from tests.locks import held_up
from tests.waiting import refusal, until
from turnpike.database import replicas
from turnpike.database.replicas import Lease


async def test_a_start_waits_for_the_lease_that_is_renewed_in_a_moment(
    world: World,
    here: Served,
    tenant: Tenant,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
):
    waiting, freshened = asyncio.Event(), Lease.freshened

    async def seen(lease: Lease) -> bool:
        waiting.set()
        return await freshened(lease)

    monkeypatch.setattr(Lease, "freshened", seen)
    monkeypatch.setattr(replicas, "_PATIENCE_SECONDS", 15.0)
    async with world.unrenewed(here):
        await held_up(world.superuser, "UPDATE replicas SET beat")
        # As if it had been renewed long ago.
        monkeypatch.setattr(replicas, "_FRESH_SECONDS", 0.0)
        starting = asyncio.create_task(tenant.start())
        await until(waiting.is_set)
        monkeypatch.setattr(replicas, "_FRESH_SECONDS", 15.0)

    turn = await starting
    (await provider.asked()).answer("hello")
    assert (await tenant.ended(turn.id)).text == "hello"


async def test_a_start_is_refused_when_the_lease_is_not_renewed(
    tenant: Tenant, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    asks = len(provider.asks)
    monkeypatch.setattr(replicas, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(replicas, "_FRESH_SECONDS", 0.0)

    refused = await refusal(tenant.start())

    assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "UNAVAILABLE")
    assert len(provider.asks) == asks
