from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Schemas
from tests.embedding.searching.shelves import Library, library
from tests.embedding.serving import meter_on
from turnpike.rpc.channel import open_channel


@pytest.fixture
async def books(schemas: Schemas) -> AsyncGenerator[Library]:
    """A library over real tables."""
    urls = await schemas.of("embedding")
    async with (
        open_channel("dns:///nobody.invalid:1") as nobody,
        library(urls, meter_on(nobody)) as opened,
    ):
        yield opened
