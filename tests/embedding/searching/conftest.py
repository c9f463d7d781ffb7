from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Schemas
from tests.embedding.searching.shelves import Library, library
from tests.embedding.serving import services_meter


@pytest.fixture
async def books(schemas: Schemas) -> AsyncGenerator[Library]:
    """A library over real tables."""
    urls = await schemas.of("embedding")
    async with services_meter() as meter, library(urls, meter) as opened:
        yield opened
