from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Schemas
from tests.embedding.searching.shelves import Library, library
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.embedding.metering import Meter
from turnpike.rpc.channel import open_channel


@pytest.fixture
async def books(schemas: Schemas) -> AsyncGenerator[Library]:
    """A library over real tables."""
    urls = await schemas.of("embedding")
    async with (
        open_channel("dns:///nobody.invalid:1") as nobody,
        library(urls, Meter(GatekeeperServiceStub(nobody))) as opened,
    ):
        yield opened
