"""Storage of logs: a database and a Redis of these tests' own."""

from collections.abc import AsyncGenerator, Generator

import asyncpg
import pytest

from tests.agent_runtime.events.owning import Storage, open_redis
from tests.conftest import Schemas, new_database
from turnpike.agent_runtime.events.batches import Batches
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.turns.store import TurnStore
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.engine import open_pool
from turnpike.database.migration import MigrationUrls


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalRedis]:
    """A Redis that a test may stop, as long as it starts it again."""
    with LocalRedis(tmp_path_factory.mktemp("cache")) as server:
        yield server


@pytest.fixture(scope="session")
async def urls(postgres: LocalPostgres) -> MigrationUrls:
    """The ways into a database of these tests' own: their owners are no replicas."""
    return await Schemas(await new_database(postgres.url)).of("agent_runtime")


@pytest.fixture(scope="session")
async def superusers(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Pool]:
    """Connections that see everything, in agent-runtime's schema."""
    async with asyncpg.create_pool(
        urls.migration, min_size=1, server_settings={"search_path": "agent_runtime"}
    ) as pool:
        yield pool


@pytest.fixture(scope="session")
async def pool(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Pool]:
    """Connections of the service."""
    async with await open_pool(urls.service) as pool:
        yield pool


@pytest.fixture(scope="session")
async def system_pool(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Pool]:
    """Connections of the system role."""
    async with await open_pool(urls.system) as pool:
        yield pool


@pytest.fixture
async def storage(
    cache: LocalRedis, superusers: asyncpg.Pool, pool: asyncpg.Pool, system_pool: asyncpg.Pool
) -> AsyncGenerator[Storage]:
    """Where logs are kept; Redis is empty."""
    async with open_redis(cache.url) as redis:
        await redis.flushall()
        yield Storage(
            pool=pool,
            superuser=superusers,
            redis=redis,
            log=TurnLog(redis),
            batches=Batches(pool, system_pool),
            store=TurnStore(pool),
        )
