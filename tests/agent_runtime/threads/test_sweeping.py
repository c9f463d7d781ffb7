"""Deletions of threads that were broken off are finished by a sweep."""

from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.threads.test_conversations import create, delete, streaming, until_open
from tests.doubles.model_server import ModelServer
from tests.waiting import until
from turnpike.agent_runtime.settings import Settings
from turnpike.agent_runtime.threads.sweeping import sweep
from turnpike.api.agent_runtime.v1.turn_service_pb2 import ON_BUSY_ENQUEUE
from turnpike.database.engine import open_engine


@pytest.fixture
async def system(settings: Settings) -> AsyncGenerator[AsyncEngine]:
    """What a replica sweeps by."""
    async with open_engine(settings.system_database_url.get_secret_value(), pool_size=2) as engine:
        yield engine


async def broken_off(superuser: asyncpg.Connection, thread: str) -> None:
    """Leaves a thread as who began to delete it does, and dies."""
    await superuser.execute(
        "UPDATE threads SET deleting = true, updated = statement_timestamp() - interval '1 hour'"
        " WHERE id = $1",
        UUID(thread),
    )


async def count(superuser: asyncpg.Connection, table: str, column: str, id: str) -> int:
    return await superuser.fetchval(f"SELECT count(*) FROM {table} WHERE {column} = $1", UUID(id))


async def test_what_runs_and_waits_is_cancelled_and_all_of_it_deleted(
    tenant: Tenant,
    superuser: asyncpg.Connection,
    system: AsyncEngine,
    provider: ModelServer,
    provider_url: str,
):
    await streaming(tenant, provider_url, "n=5+hang=3")
    running = await tenant.start()
    await tenant.start(thread=running.thread, on_busy=ON_BUSY_ENQUEUE)
    await until_open(provider)
    await broken_off(superuser, running.thread)

    async def is_gone() -> bool:
        await sweep(system)
        return await count(superuser, "threads", "id", running.thread) == 0

    await until(is_gone)
    await until(lambda: provider.open_streams == 0)
    assert provider.stats["chat"] == 1
    assert await count(superuser, "turns", "thread", running.thread) == 0


async def test_a_deletion_that_is_under_way_is_left_to_whoever_began_it(
    tenant: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    closed, open_, old = [(await create(tenant)).id for _ in range(3)]
    await superuser.execute(
        "UPDATE threads SET deleting = true, updated = statement_timestamp() WHERE id = $1",
        UUID(closed),
    )
    await superuser.execute(
        "UPDATE threads SET updated = statement_timestamp() - interval '1 hour' WHERE id = $1",
        UUID(open_),
    )
    await broken_off(superuser, old)

    async def is_gone() -> bool:
        # The replica's own sweep may be deleting it.
        await sweep(system)
        return await count(superuser, "threads", "id", old) == 0

    await until(is_gone)
    assert [await count(superuser, "threads", "id", each) for each in (closed, open_)] == [1, 1]


async def test_since_when_a_thread_is_being_deleted_is_told(
    tenant: Tenant, superuser: asyncpg.Connection, provider: ModelServer, provider_url: str
):
    # Or one that was last used long ago would be swept at once, under its deleter's hands.
    await streaming(tenant, provider_url, "n=1")
    thread = (await create(tenant)).id
    await broken_off(superuser, thread)
    await superuser.execute(
        """
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER keep BEFORE DELETE ON threads FOR EACH ROW EXECUTE FUNCTION keep()
        """
    )
    try:
        await delete(tenant, thread)
    finally:
        await superuser.execute("DROP TRIGGER keep ON threads; DROP FUNCTION keep()")

    age = (
        "SELECT statement_timestamp() - updated < interval '10 minutes' FROM threads WHERE id = $1"
    )
    assert await superuser.fetchval(age, UUID(thread))


async def test_two_sweeps_at_once_do_not_wait_for_each_other(
    tenant: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    thread = (await create(tenant)).id
    await broken_off(superuser, thread)
    async with superuser.transaction():
        await superuser.execute("SELECT FROM threads WHERE id = $1 FOR UPDATE", UUID(thread))

        assert await sweep(system) == 0
