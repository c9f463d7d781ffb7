from collections.abc import AsyncGenerator

import pytest

from tests.embedding.serving import embedding
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub


@pytest.fixture(scope="session")
async def service() -> AsyncGenerator[EmbeddingServiceStub]:
    """A client of a running service."""
    async with embedding() as stub:
        yield stub
