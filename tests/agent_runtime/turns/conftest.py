"""Replicas on databases of their own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.serving import Peers, Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, open_world
from tests.conftest import Keys
from tests.doubles.effects_journal import Journal
from tests.doubles.effects_protocol import Protocol
from tests.doubles.effects_server import EffectsServer
from tests.gatekeeper import serving as gatekeepers
from tests.tool_registry import serving as registries
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.engine import open_engine


@pytest.fixture(scope="module")
async def world(
    postgres: LocalPostgres,
    valkey: LocalRedis,
    keys: Keys,
    peers: Peers,
    gatekeeper: gatekeepers.Gatekeeper,
) -> AsyncGenerator[World]:
    """A database of the module's own, and the peers that all share."""
    async with open_world(postgres.url, valkey.url, keys, peers, gatekeeper) as world:
        yield world


@pytest.fixture
async def system(world: World) -> AsyncGenerator[AsyncEngine]:
    """What a replica sweeps by."""
    async with open_engine(world.urls.system, pool_size=2) as engine:
        yield engine


@pytest.fixture
async def provider(world: World) -> Provider:
    """The provider of every tenant's model, called by nobody yet."""
    await world.let_end()
    world.provider.forget()
    return world.provider


@pytest.fixture(scope="module")
async def here(world: World) -> AsyncGenerator[Served]:
    """A replica for the whole module."""
    async with world.replica() as served:
        yield served


@pytest.fixture
async def tenant(world: World, here: Served) -> Tenant:
    """A new tenant with an agent, on that replica."""
    return await world.tenant(here)


@pytest.fixture
async def tools(registry: registries.Registry, tmp_path: Path) -> AsyncGenerator[Tools]:
    """Tools that count their effects."""
    protocol = Protocol(Journal(tmp_path / "journal"))
    async with EffectsServer(protocol).listening() as url:
        yield Tools(registry, url, protocol)
