import sys
from collections.abc import AsyncGenerator, Iterator

import pytest

from tests.conftest import Schemas
from tests.embedding.serving import embedding
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.database.migration import MigrationUrls


@pytest.fixture(scope="session")
async def outbox_urls(schemas: Schemas) -> MigrationUrls:
    """The ways into a schema in which nobody else settles, or indexes."""
    return await schemas.apart("embedding")


@pytest.fixture(scope="session")
async def service() -> AsyncGenerator[EmbeddingServiceStub]:
    """A client of a running service."""
    async with embedding() as stub:
        yield stub


@pytest.fixture
def litellm_alone() -> Iterator[None]:
    """A litellm of this test's own: another service's tests may have bent the process's one."""
    bent = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_litellm(name)}
    yield
    for name in list(filter(_is_litellm, sys.modules)):
        del sys.modules[name]
    sys.modules.update(bent)


def _is_litellm(module: str) -> bool:
    return module.partition(".")[0] == "litellm"
