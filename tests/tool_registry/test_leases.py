"""A replica that was stopped for a while, and does not know yet whether it was declared dead."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.doubles.effects_server import EffectsServer
from tests.locks import held_up
from tests.tool_registry.serving import Tenant, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1.tool_pb2 import CALL_STATUS_UNKNOWN
from turnpike.database import replicas
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls
from turnpike.database.replicas import Lease
from turnpike.database.tenancy import system_transaction
from turnpike.tool_registry import orphans
from turnpike.tool_registry.links.pool import Links


async def test_a_call_waits_for_the_lease_that_is_renewed_in_a_moment(
    tenant: Tenant,
    url: str,
    effects: EffectsServer,
    superuser: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    waiting, freshened = asyncio.Event(), Lease.freshened

    async def seen(lease: Lease) -> bool:
        waiting.set()
        return await freshened(lease)

    monkeypatch.setattr(Lease, "freshened", seen)
    monkeypatch.setattr(replicas, "_PATIENCE_SECONDS", 15.0)
    async with superuser.transaction():
        await superuser.execute("SELECT FROM replicas FOR UPDATE")
        await held_up(superuser, "UPDATE replicas SET beat")
        # As if it had been renewed long ago.
        monkeypatch.setattr(replicas, "_FRESH_SECONDS", 0.0)
        running = asyncio.create_task(tenant.run(request))
        await until(waiting.is_set)
        monkeypatch.setattr(replicas, "_FRESH_SECONDS", 15.0)

    assert text_of(await running) == "done rent"
    assert effects.journal.effects("rent") == 1


async def test_a_call_is_refused_when_the_lease_is_not_renewed(
    tenant: Tenant, url: str, effects: EffectsServer, monkeypatch: pytest.MonkeyPatch
):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    monkeypatch.setattr(replicas, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(replicas, "_FRESH_SECONDS", 0.0)

    error = await refusal(tenant.run(request))

    assert (error.code.name, error.reason) == ("UNAVAILABLE", "UNAVAILABLE")
    assert error.retry_after is not None
    assert effects.journal.effects("rent") == 0


async def test_a_process_that_was_declared_dead_sends_nothing_of_before_as_another(
    tenant: Tenant,
    url: str,
    effects: EffectsServer,
    superuser: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
):
    await tenant.connect(url=url)
    # The next is cleared in the statement that writes it.
    await tenant.run(await tenant.ask("effects/transfer", tag="before"))
    request = await tenant.ask("effects/transfer", tag="rent")
    using, ready, go_on = Links.using, asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def held(links: Links, *where: Any) -> AsyncGenerator[Any]:
        async with using(links, *where) as link:
            ready.set()
            await go_on.wait()
            yield link

    async def nothing(*_: object) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(Links, "using", held)
    # It has not heard yet of what it lost.
    monkeypatch.setattr(orphans, "find_lost", nothing)
    running = asyncio.create_task(tenant.run(request))
    await until(ready.is_set)
    await superuser.execute("UPDATE replicas SET dead = true")
    settled = "SELECT status FROM calls WHERE effect = $1"
    alive = "SELECT count(*) FROM replicas WHERE NOT dead AND beat > 0"

    async def is_another() -> bool:
        effect = f"{request.turn}:{request.step}:{request.ordinal}"
        said = await superuser.fetchval(settled, effect)
        return said == "UNKNOWN" and await superuser.fetchval(alive) > 0

    await until(is_another)
    go_on.set()

    assert (await running).status == CALL_STATUS_UNKNOWN
    assert effects.journal.effects("rent") == 0


@pytest.fixture
async def system(unserved_urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """What replicas enter themselves with."""
    async with open_engine(unserved_urls.system, pool_size=2) as engine:
        yield engine


async def test_a_registration_counts_once_it_is_committed(system: AsyncEngine):
    """Before, the others would settle what it writes as a dead one's."""
    lease = Lease(f"test-{uuid4()}", "")

    async with system_transaction(system) as connection:
        await lease.register(connection)
        assert not lease.is_fresh()
    waiting = asyncio.create_task(lease.freshened())
    lease.confirm()
    assert await waiting

    async with system_transaction(system) as connection:
        # A restarted process has its predecessor's name.
        await Lease(lease.name, "").register(connection)
    async with system_transaction(system) as connection:
        renewal = await lease.renew(connection)
    lease.confirm()

    assert (renewal.alive, lease.is_fresh()) == (False, False)
