"""Registries over a real Postgres and a real MCP server."""

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Keys, Schemas
from tests.doubles.effects_journal import Journal
from tests.doubles.effects_protocol import Protocol
from tests.doubles.effects_server import EffectsServer
from tests.doubles.oauth_server import AuthorizationServer, serving_authorization
from tests.doubles.scripted_mcp import ScriptedServer, tool
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for
from turnpike.database.migration import MigrationUrls


@pytest.fixture(scope="session")
async def urls(schemas: Schemas) -> MigrationUrls:
    """The ways into the registry's schema."""
    return await schemas.of("tool_registry")


@pytest.fixture(scope="session")
async def unserved_urls(schemas: Schemas) -> MigrationUrls:
    """The ways into a database in which no replica serves: nobody sweeps there but the test."""
    return await schemas.apart("tool_registry")


@pytest.fixture(scope="session")
async def lone_urls(schemas: Schemas) -> MigrationUrls:
    """The ways into a database that a test's own replica alone serves.

    Elsewhere any replica may be the one that reads a connector's list, by its own settings.
    """
    return await schemas.apart("tool_registry")


@pytest.fixture(scope="session")
async def registry(urls: MigrationUrls, keys: Keys) -> AsyncGenerator[Registry]:
    """A replica for the whole session."""
    async with serving(settings_for(urls, keys), keys) as replica:
        yield replica


@pytest.fixture(scope="session")
async def other(urls: MigrationUrls, keys: Keys) -> AsyncGenerator[Registry]:
    """Another replica on the same database."""
    async with serving(settings_for(urls, keys), keys) as replica:
        yield replica


@pytest.fixture
async def tenant(registry: Registry) -> Tenant:
    """A new tenant."""
    return registry.new_tenant()


@pytest.fixture
def effects(tmp_path: Path) -> EffectsServer:
    """An MCP server that counts what its tools did; not listening yet."""
    return EffectsServer(Protocol(Journal(tmp_path / "journal")))


@pytest.fixture
async def url(effects: EffectsServer) -> AsyncGenerator[str]:
    """Where the effects server listens."""
    async with effects.listening() as listening:
        yield listening


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    return ScriptedServer([tool("one")])


@pytest.fixture
async def place(server: ScriptedServer) -> AsyncGenerator[str]:
    """Where it listens."""
    async with server.listening() as url:
        yield url


@pytest.fixture
async def issuer() -> AsyncGenerator[AuthorizationServer]:
    """Who gives out tokens."""
    async with serving_authorization() as serving_one:
        yield serving_one


@pytest.fixture
async def superuser(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection that sees everything, in the registry's schema."""
    connection = await asyncpg.connect(
        urls.migration, server_settings={"search_path": "tool_registry"}
    )
    yield connection
    await connection.close()
