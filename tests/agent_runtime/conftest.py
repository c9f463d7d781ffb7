"""Runtimes over real Postgres and Redis, with a real gatekeeper and a real registry."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import ModuleType

import asyncpg
import grpc
import pytest

from tests.agent_runtime.serving import Peers, Runtime, Tenant, listening, serving, settings_for
from tests.channels import channel_to
from tests.conftest import Keys, Schemas
from tests.doubles.model_server import ModelServer
from tests.gatekeeper import serving as gatekeepers
from tests.tool_registry import serving as registries
from turnpike.agent_runtime.models.litellm_client import load
from turnpike.agent_runtime.settings import Settings
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls
from turnpike.gatekeeper.__main__ import open_server
from turnpike.tool_registry.__main__ import open_replica as open_registry


@pytest.fixture(scope="session")
async def urls(schemas: Schemas) -> MigrationUrls:
    """The ways into agent-runtime's schema."""
    return await schemas.of("agent_runtime")


@pytest.fixture(scope="session")
async def gatekeeper_address(
    schemas: Schemas, valkey: LocalRedis, keys: Keys
) -> AsyncGenerator[str]:
    """Where a real gatekeeper listens."""
    urls = await schemas.of("gatekeeper")
    settings = gatekeepers.settings_for(urls, valkey.url, keys)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[tuple[grpc.aio.Server, None]]:
        async with open_server(settings) as server:
            yield server, None

    async with listening(opened()) as (address, _):
        yield address


@pytest.fixture(scope="session")
async def registry_address(
    schemas: Schemas,
    keys: Keys,
    gatekeeper_address: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[str]:
    """Where a real tool registry listens."""
    urls = await schemas.of("tool_registry")
    target = f"ipv4:{gatekeeper_address}"
    blobs = tmp_path_factory.mktemp("artifacts").as_uri()
    settings = registries.settings_for(urls, keys, gatekeeper_target=target, blobs_url=blobs)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[tuple[grpc.aio.Server, None]]:
        async with open_registry(settings) as replica:
            yield replica.server, None

    async with listening(opened()) as (address, _):
        yield address


@pytest.fixture(scope="session")
def peers(gatekeeper_address: str, registry_address: str) -> Peers:
    """The services that a runtime calls."""
    return Peers(f"ipv4:{gatekeeper_address}", f"ipv4:{registry_address}")


@pytest.fixture(scope="session")
def settings(
    urls: MigrationUrls,
    valkey: LocalRedis,
    keys: Keys,
    peers: Peers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """The settings of a replica; `model_copy(update={…})` makes another's."""
    blobs = tmp_path_factory.mktemp("blobs").as_uri()
    return settings_for(urls, valkey.url, keys, peers, blobs_url=blobs, file_max_bytes=1 << 20)


@pytest.fixture(scope="session")
async def runtime(settings: Settings, keys: Keys) -> AsyncGenerator[Runtime]:
    """A replica for the whole session."""
    async with serving(settings, keys) as replica:
        yield replica


@pytest.fixture(scope="session")
async def gatekeeper(gatekeeper_address: str, keys: Keys) -> AsyncGenerator[gatekeepers.Gatekeeper]:
    """The gatekeeper, as its callers see it."""
    async with channel_to(gatekeeper_address) as channel:
        yield gatekeepers.Gatekeeper(channel, keys)


@pytest.fixture(scope="session")
async def registry(registry_address: str, keys: Keys) -> AsyncGenerator[registries.Registry]:
    """The registry, as its callers see it."""
    async with channel_to(registry_address) as channel:
        yield registries.Registry(channel, keys)


@pytest.fixture
def new_tenant(
    runtime: Runtime, gatekeeper: gatekeepers.Gatekeeper
) -> Callable[[], Awaitable[Tenant]]:
    """Makes tenants with 64 slots."""

    async def make() -> Tenant:
        return Tenant(runtime, await gatekeeper.create_tenant())

    return make


@pytest.fixture
async def tenant(new_tenant: Callable[[], Awaitable[Tenant]]) -> Tenant:
    """A new tenant with 64 slots."""
    return await new_tenant()


@pytest.fixture
async def provider() -> ModelServer:
    """A scripted provider on the OpenAI wire; see `provider_url`."""
    return ModelServer()


@pytest.fixture
async def provider_url(provider: ModelServer) -> AsyncGenerator[str]:
    """The provider's base URL."""
    async with provider.listening() as url:
        yield url


@pytest.fixture
async def superuser(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection that sees everything, in agent-runtime's schema."""
    connection = await asyncpg.connect(
        urls.migration, server_settings={"search_path": "agent_runtime"}
    )
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def litellm() -> ModuleType:
    """litellm, imported: on a slow machine that takes longer than a test waits for anything."""
    return load()
