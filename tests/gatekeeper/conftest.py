"""Gatekeepers over real Postgres and Redis."""

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.conftest import Keys, Schemas
from tests.gatekeeper.money import Bank
from tests.gatekeeper.serving import Gatekeeper, Tenant, serving, settings_for
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.engine import open_pool
from turnpike.database.migration import MigrationUrls
from turnpike.gatekeeper.system import System


@pytest.fixture(scope="session")
async def urls(schemas: Schemas) -> MigrationUrls:
    """The ways into gatekeeper's schema."""
    return await schemas.of("gatekeeper")


@pytest.fixture(scope="session")
async def replica(
    urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> AsyncGenerator[Gatekeeper]:
    """A gatekeeper for the whole session."""
    async with serving(settings_for(urls, valkey.url, keys), keys) as gatekeeper:
        yield gatekeeper


@pytest.fixture
async def gatekeeper(replica: Gatekeeper, redis: Redis) -> Gatekeeper:
    """A gatekeeper with an empty Redis."""
    return replica


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncGenerator[LocalRedis]:
    """A Redis to stop."""
    with LocalRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def tenant(gatekeeper: Gatekeeper) -> Tenant:
    """A new tenant with 64 slots."""
    return await gatekeeper.create_tenant()


@pytest.fixture
async def superuser(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection that sees everything, in gatekeeper's schema."""
    connection = await asyncpg.connect(
        urls.migration, server_settings={"search_path": "gatekeeper"}
    )
    yield connection
    await connection.close()


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[System]:
    """The statements of the system role."""
    pool = await open_pool(urls.system)
    yield System(pool)
    await pool.close()


@pytest.fixture
async def bank(superuser: asyncpg.Connection) -> Bank:
    """Sets plans and budgets."""
    return Bank(superuser)


@pytest.fixture
async def unbilled(
    urls: MigrationUrls, valkey: LocalRedis, keys: Keys, redis: Redis
) -> AsyncGenerator[Gatekeeper]:
    """A gatekeeper without billing."""
    async with serving(settings_for(urls, valkey.url, keys, billing=False), keys) as gatekeeper:
        yield gatekeeper
