from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Keys, Schemas
from tests.embedding.knowledge.serving import Library, Tenant, library, settings_for
from turnpike.database.migration import MigrationUrls


@pytest.fixture(scope="session")
async def knowledge_urls(schemas: Schemas) -> MigrationUrls:
    """The ways into a schema in which nobody else indexes."""
    return await schemas.apart("embedding")


@pytest.fixture(scope="session")
async def shelves(
    knowledge_urls: MigrationUrls, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Library]:
    """A replica for the whole session."""
    settings = settings_for(knowledge_urls, keys, tmp_path_factory.mktemp("blobs"))
    async with library(settings, keys, knowledge_urls) as served:
        yield served


@pytest.fixture
async def tenant(shelves: Library) -> Tenant:
    """A new tenant with a collection."""
    new = shelves.tenant()
    await new.begin(language="english")
    return new
