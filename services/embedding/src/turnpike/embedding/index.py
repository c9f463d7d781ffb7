"""Makes the indexes of vectors that large tenants need: `python -m turnpike.embedding.index`."""

import argparse
import asyncio
from collections.abc import AsyncGenerator

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import system_transaction
from turnpike.embedding.searching.indexes import make_indexes, needed_indexes

_EXTENSION = text(
    "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
)


MEMORY_MEGABYTES = 512
"""Holds the index of some 400,000 vectors of 384 dimensions while it is made."""


async def index(
    urls: MigrationUrls, *, above: int, memory_megabytes: int = MEMORY_MEGABYTES
) -> AsyncGenerator[str]:
    """Makes and drops indexes; yields what it did.

    Args:
        urls: Where the database is, and as whom.
        above: Tenants with more vectors of a model have an index of their own:
            EMBEDDING_EXACT_SEARCH_VECTORS.
        memory_megabytes: How much of Postgres' memory an index may take while it is made.
    """
    engines = [
        create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
        for url in (urls.migration, urls.system)
    ]
    owner_engine, system_engine = engines
    try:
        async with system_transaction(system_engine) as system:
            wanted = await needed_indexes(system, most=above)
        async with owner_engine.connect() as opened:
            owner = await opened.execution_options(isolation_level="AUTOCOMMIT")
            await owner.execute(text("SET ROLE embedding_owner"))
            home = await owner.scalar(_EXTENSION)
            await owner.execute(text(f"SET search_path = embedding, {home}"))
            async for line in make_indexes(owner, wanted, memory_megabytes=memory_megabytes):
                yield line
    finally:
        for engine in engines:
            await engine.dispose()


def main() -> None:
    """Makes and drops indexes, and prints what it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--above", type=int, default=5_000)
    parser.add_argument("--memory-mb", type=int, default=MEMORY_MEGABYTES)
    options = parser.parse_args()

    async def run() -> None:
        urls = MigrationUrls.from_environment("EMBEDDING")
        async for line in index(urls, above=options.above, memory_megabytes=options.memory_mb):
            print(line)

    asyncio.run(run())


if __name__ == "__main__":
    main()
