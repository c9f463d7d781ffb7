"""Collections of every tenant."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.catalogue import name_of
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.knowledge import collection_rows
from turnpike.embedding.knowledge.errors import MissingError
from turnpike.embedding.knowledge.model import Collection, Made, NewCollection
from turnpike.rpc.errors import InvalidArgumentError


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

    async def update(
        self,
        tenant: UUID,
        wanted: NewCollection,
        etag: str,
        *,
        allow_missing: bool = False,
        validate_only: bool = False,
    ) -> tuple[Collection, Made]:
        """Makes a collection what is given; raises as `UpdateCollection` says."""
        async with (
            tenant_transaction(self._engine, tenant) as connection,
            connection.begin_nested() as attempt,
        ):
            try:
                found = await collection_rows.lock(connection, tenant, wanted.name)
            except MissingError:
                if not allow_missing:
                    raise
                model = self._embedder.require(wanted.model, wanted.max_tokens, wanted.overlap)
                made = await collection_rows.insert(connection, tenant, wanted, model), Made.CREATED
            else:
                self._require_same(found, wanted)
                made = await _changed(connection, tenant, found, wanted, etag)
            if validate_only:
                await attempt.rollback()
        return made

    def _require_same(self, found: Collection, wanted: NewCollection) -> None:
        for field in ("language", "max_tokens", "overlap"):
            given, is_ = getattr(wanted, field), getattr(found, field)
            if given and given != is_:
                raise InvalidArgumentError(f"collection.{field}", f"is {is_!r} for good")
        # By name: where another model came under it, that is what replaces this one by itself.
        name = name_of(found.model)
        if wanted.model and self._embedder.model(wanted.model).name != name:
            raise InvalidArgumentError("collection.model", f"is {name!r}; a migration changes it")

    async def delete(self, tenant: UUID, name: str, etag: str) -> None:
        """Deletes a collection; raises as `DeleteCollection` says."""
        async with tenant_transaction(self._engine, tenant) as connection:
            await collection_rows.delete(connection, tenant, name, etag)


async def _changed(
    connection: AsyncConnection, tenant: UUID, found: Collection, wanted: NewCollection, etag: str
) -> tuple[Collection, Made]:
    if etag in ("", found.etag) and dict(found.metadata) == dict(wanted.metadata):
        return found, Made.UNCHANGED
    changed = await collection_rows.update(connection, tenant, found.name, wanted.metadata, etag)
    return changed, Made.CHANGED
