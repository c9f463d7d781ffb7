"""How often an admission asks Postgres and Redis, counted by them. Rows G4 and S3."""

import ast
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tests.conftest import Keys
from tests.gatekeeper.money import Bank, spender, used
from tests.gatekeeper.serving import Tenant, serving, settings_for
from tests.gatekeeper.slow_link import SlowLink, slow_link
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls

TURNS = 20
SOURCES = Path(__file__).parents[2] / "services/gatekeeper/src/turnpike/gatekeeper"


@pytest.fixture
async def counted(
    urls: MigrationUrls, valkey: LocalRedis, keys: Keys, redis: Redis, bank: Bank
) -> AsyncGenerator[tuple[Tenant, SlowLink]]:
    """A tenant with every kind of limit, and the link that counts its round trips."""
    async with slow_link(urls.service, 1) as (link, service_url):
        settings = settings_for(replace(urls, service=service_url), valkey.url, keys)
        async with serving(settings, keys) as gatekeeper:
            tenant = await gatekeeper.create_tenant()
            await bank.limit(
                tenant, sync_per_minute=60_000, tokens_per_minute=1_000_000, slots=1_000
            )
            for scope, subject in (("tenant", ""), ("principal", tenant.principal)):
                await bank.budget(tenant, 10**12, scope, subject)
            yield tenant, link


@asynccontextmanager
async def scripts_of(redis: Redis, tenant: Tenant) -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    """Counts the scripts that Redis ran for a tenant, each time since the last time."""
    async with redis.monitor() as monitor:

        async def since() -> int:
            mark, count = uuid4().hex, 0
            await redis.echo(mark)
            async for seen in monitor.listen():
                command = str(seen["command"])
                if mark in command:
                    break
                count += command.startswith("EVAL") and tenant.id in command
            return count

        yield since


async def test_g4_each_step_of_admission_is_one_statement_and_one_script(
    counted: tuple[Tenant, SlowLink], redis: Redis
):
    tenant, link = counted
    for _ in range(2):  # connections, prepared statements, scripts
        first = spender(tenant)
        await first.admit()
        await first.extend(2)
        await first.settle(used(1, 1, 1))
    turns = [spender(tenant) for _ in range(TURNS)]

    async with scripts_of(redis, tenant) as scripts:
        for step in (
            lambda turn: turn.admit(),
            lambda turn: turn.extend(2),
            lambda turn: turn.settle(used(1, 1, 1)),
        ):
            trips = link.round_trips
            await scripts()
            for turn in turns:
                await step(turn)
            assert link.round_trips - trips == TURNS
            assert await scripts() == TURNS


@pytest.mark.parametrize(
    "path", sorted(SOURCES.rglob("*.py")), ids=lambda path: path.relative_to(SOURCES).as_posix()
)
def test_s3_admission_reads_the_primary_alone(path: Path):
    """No module of gatekeeper has another way to Postgres than its settings' URLs.

    There is no replica's URL among them, so none can be read.
    """
    names = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }

    urls = {name for name in names if name.endswith("database_url")}
    assert urls <= {"database_url", "system_database_url"}
    assert not urls or path.stem == "__main__"
