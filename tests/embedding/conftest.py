from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Schemas, new_database
from tests.embedding.serving import embedding
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.database.migration import MigrationUrls


@pytest.fixture(scope="session")
async def outbox_urls(schemas: Schemas) -> MigrationUrls:
    """The ways into a schema in which nobody else settles, or indexes."""
    return await Schemas(await new_database(schemas.superuser)).of("embedding")


@pytest.fixture(scope="session")
async def service() -> AsyncGenerator[EmbeddingServiceStub]:
    """A client of a running service."""
    async with embedding() as stub:
        yield stub
