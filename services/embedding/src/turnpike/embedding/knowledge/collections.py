"""Collections of every tenant."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.knowledge import collection_rows
from turnpike.embedding.knowledge.model import Collection, NewCollection


class Collections:
    """Makes, shows, changes and deletes collections."""

    def __init__(self, engine: AsyncEngine, embedder: Embedder) -> None:
        self._engine = engine
        self._embedder = embedder

    async def create(self, tenant: UUID, new: NewCollection) -> Collection:
        """Makes a collection; raises as `CreateCollection` says."""
        model = self._embedder.require(new.model, new.max_tokens, new.overlap)
        async with tenant_transaction(self._engine, tenant) as connection:
            return await collection_rows.insert(connection, tenant, new, model)

    async def get(self, tenant: UUID, name: str) -> Collection:
        """Returns a collection, or raises `MissingError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await collection_rows.get(connection, tenant, name)

    async def page(self, tenant: UUID, *, after: str, limit: int) -> list[Collection]:
        """Returns collections by name."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await collection_rows.page(connection, tenant, after=after, limit=limit)

    async def update(self, tenant: UUID, change: NewCollection, etag: str) -> Collection:
        """Changes a collection's metadata; raises as `UpdateCollection` says."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await collection_rows.update(
                connection, tenant, change.name, change.metadata, etag
            )

    async def delete(self, tenant: UUID, name: str, etag: str) -> None:
        """Deletes a collection; raises as `DeleteCollection` says."""
        async with tenant_transaction(self._engine, tenant) as connection:
            await collection_rows.delete(connection, tenant, name, etag)
