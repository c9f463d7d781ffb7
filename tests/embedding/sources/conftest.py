"""Embedding and tool-registry, side by side, and a server with resources."""

import importlib
from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Keys, Schemas
from tests.embedding.knowledge.serving import Library, library, settings_for
from tests.embedding.sources.feeding import Feed, Wiki
from tests.tool_registry.serving import Registry, serving
from tests.tool_registry.serving import settings_for as registry_settings
from turnpike.database.migration import MigrationUrls
from turnpike.embedding.settings import Settings


@pytest.fixture(scope="session")
async def source_urls(schemas: Schemas) -> MigrationUrls:
    """The ways into a schema in which nobody else runs sources."""
    return await schemas.apart("embedding")


@pytest.fixture(scope="session")
async def registry(schemas: Schemas, keys: Keys) -> AsyncGenerator[Registry]:
    """Tool-registry, for the whole session."""
    # What its first session would import, a second's work that holds up this process' loop.
    importlib.import_module("turnpike.tool_registry.links.link")
    settings = registry_settings(await schemas.of("tool_registry"), keys)
    async with serving(settings, keys) as replica:
        yield replica


@pytest.fixture(scope="session")
async def source_settings(
    source_urls: MigrationUrls,
    keys: Keys,
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """A replica's settings; whatever runs sources shares them."""
    blobs = tmp_path_factory.mktemp("source-blobs")
    return settings_for(source_urls, keys, blobs, tool_registry_target=registry.target)


@pytest.fixture(scope="session")
async def feeder(
    source_settings: Settings, source_urls: MigrationUrls, keys: Keys
) -> AsyncGenerator[Library]:
    """A replica that runs sources, for the whole session."""
    async with library(source_settings, keys, source_urls) as served:
        yield served


@pytest.fixture
async def wiki() -> AsyncGenerator[Wiki]:
    """A server with resources."""
    served = Wiki()
    async with served.server.listening() as url:
        served.url = url
        yield served
        served.hung.set()


@pytest.fixture
async def feed(feeder: Library, registry: Registry, wiki: Wiki) -> Feed:
    """A new tenant with a collection, and a connector to the server."""
    new = Feed(feeder.tenant(), registry, wiki)
    await new.begin()
    return new
