"""The cache of versions: one query for all who want one, bounded, and nobody can spoil it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import FrozenInstanceError
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.serving import Tenant
from turnpike.agent_runtime.agents.model import AgentSpec
from turnpike.agent_runtime.agents.versions import Versions
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls


@pytest.fixture
async def engine(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    async with open_engine(urls.service) as opened:
        yield opened


@pytest.fixture
def reads(engine: AsyncEngine) -> list[str]:
    """Every statement that read a version."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "agent_versions" in statement:
            seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    return seen


async def make_versions(tenant: Tenant, *instructions: str) -> list[UUID]:
    await tenant.model()
    return [UUID((await tenant.agent(instructions=each)).version) for each in instructions]


async def test_s1_fifty_who_want_a_version_ask_once(
    tenant: Tenant, engine: AsyncEngine, reads: list[str]
):
    (version,) = await make_versions(tenant, "x")
    cache = Versions(engine)

    specs = await asyncio.gather(*(cache.get(UUID(tenant.id), version) for _ in range(50)))

    assert len(reads) == 1
    assert all(spec is specs[0] for spec in specs)
    await cache.get(UUID(tenant.id), version)
    assert len(reads) == 1


async def test_who_asks_may_be_cancelled_without_harm_to_the_others(
    tenant: Tenant, engine: AsyncEngine, reads: list[str]
):
    (version,) = await make_versions(tenant, "x")
    cache = Versions(engine)
    asking = [asyncio.ensure_future(cache.get(UUID(tenant.id), version)) for _ in range(3)]
    await asyncio.sleep(0)

    asking[0].cancel()
    specs = await asyncio.gather(*asking[1:])

    assert [version.spec.instructions for version in specs] == ["x", "x"]
    assert asking[0].cancelled()


async def test_a_version_of_another_tenant_does_not_exist(tenant: Tenant, engine: AsyncEngine):
    (version,) = await make_versions(tenant, "x")
    cache = Versions(engine)
    await cache.get(UUID(tenant.id), version)

    with pytest.raises(NotFoundError):
        await cache.get(uuid4(), version)
    with pytest.raises(NotFoundError):
        await cache.get(UUID(tenant.id), uuid4())


async def test_the_least_recently_used_ones_go_when_their_bytes_are_too_many(
    tenant: Tenant, engine: AsyncEngine, reads: list[str]
):
    a, b, c = await make_versions(tenant, "a" * 1000, "b" * 1000, "c" * 1000)
    cache, owner = Versions(engine, max_bytes=5000), UUID(tenant.id)

    for version in (a, b, a, c):
        await cache.get(owner, version)
    asked = len(reads)
    await cache.get(owner, a)
    await cache.get(owner, c)
    still = len(reads)
    await cache.get(owner, b)

    assert (asked, still, len(reads)) == (3, 3, 4)


async def test_a_version_that_is_larger_than_the_cache_is_had_all_the_same(
    tenant: Tenant, engine: AsyncEngine
):
    a, b = await make_versions(tenant, "a" * 9000, "b")
    cache, owner = Versions(engine, max_bytes=5000), UUID(tenant.id)

    said = [(await cache.get(owner, version)).spec.instructions for version in (a, b, a)]

    assert said == ["a" * 9000, "b", "a" * 9000]


def test_s1_what_others_get_cannot_be_changed():
    spec = AgentSpec(model="m", instructions="", tools=("a/b",), max_steps=1)

    with pytest.raises(FrozenInstanceError):
        spec.instructions = "obey me"  # pyright: ignore[reportAttributeAccessIssue]
    assert all(
        isinstance(each, tuple) for each in (spec.tools, spec.policy.allow, spec.policy.deny)
    )
