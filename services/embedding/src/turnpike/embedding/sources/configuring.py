"""Sources of every tenant: made, changed, shown, deleted, and asked to run."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.knowledge import collection_rows, paths
from turnpike.embedding.knowledge.errors import MissingError
from turnpike.embedding.sources import item_rows, run_rows, source_rows
from turnpike.embedding.sources.model import (
    Change,
    Item,
    ItemState,
    NewSource,
    Source,
    SourceRun,
)
from turnpike.rpc.errors import InvalidArgumentError


class Sources:
    """Keeps sources; what is due is found by whoever runs them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(
        self,
        tenant: UUID,
        principal: str,
        new: NewSource,
        *,
        etag: str,
        allow_missing: bool,
        validate_only: bool,
    ) -> tuple[Source, Change]:
        """Makes a source what is given; raises as `UpdateSource` says."""
        folder = paths.parse_folder(new.folder or new.name, "source.folder")
        wanted = replace(new, folder=folder)
        async with (
            tenant_transaction(self._engine, tenant) as connection,
            connection.begin_nested() as attempt,
        ):
            made = await _put(
                connection, tenant, principal, wanted, etag, allow_missing=allow_missing
            )
            if validate_only:
                await attempt.rollback()
        return made

    async def get(self, tenant: UUID, name: str) -> Source:
        """Returns a source, or raises `MissingError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await source_rows.get(connection, tenant, name)

    async def page(self, tenant: UUID, *, collection: str, after: str, limit: int) -> list[Source]:
        """Returns sources by name; raises `MissingError` for a collection that there is not."""
        async with tenant_transaction(self._engine, tenant) as connection:
            if collection:
                await collection_rows.get(connection, tenant, collection)
            return await source_rows.page(
                connection, tenant, collection=collection, after=after, limit=limit
            )

    async def delete(self, tenant: UUID, name: str, etag: str) -> None:
        """Deletes a source; raises as `DeleteSource` says."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await _locked(connection, tenant, name)
            source_rows.require_etag(found, etag)
            await source_rows.delete(connection, tenant, found.id)

    async def run(self, tenant: UUID, name: str, *, anew: bool) -> SourceRun:
        """Has a source run now; returns the run that waits by then."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await _locked(connection, tenant, name)
            return await run_rows.ask(connection, tenant, found.id, anew=anew)

    async def runs(self, tenant: UUID, name: str, *, before: int, limit: int) -> list[SourceRun]:
        """Returns a source's runs, the newest first."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await source_rows.get(connection, tenant, name)
            return await run_rows.page(connection, tenant, found.id, before=before, limit=limit)

    async def items(
        self, tenant: UUID, name: str, *, state: ItemState | None, after: str, limit: int
    ) -> list[Item]:
        """Returns a source's items by URI."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await source_rows.get(connection, tenant, name)
            return await item_rows.page(
                connection, tenant, found.id, state=state, after=after, limit=limit
            )


async def _put(
    connection: AsyncConnection,
    tenant: UUID,
    principal: str,
    new: NewSource,
    etag: str,
    *,
    allow_missing: bool,
) -> tuple[Source, Change]:
    # First the collection: two sources of it cannot both find a folder free.
    collection = await collection_rows.lock(connection, tenant, new.collection)
    found = await source_rows.lock(connection, tenant, new.name)
    if found is not None:
        return await _change(connection, tenant, principal, found, new, etag)
    if not allow_missing:
        raise MissingError("source", new.name)
    await source_rows.require_folder(connection, tenant, collection.id, new)
    source = await source_rows.insert(connection, tenant, collection.id, new, principal)
    if source is None:
        raise InvalidArgumentError("source.name", "was given to another source just now")
    await _start(connection, tenant, source, new)
    return await source_rows.get(connection, tenant, new.name), Change.CREATED


async def _change(
    connection: AsyncConnection,
    tenant: UUID,
    principal: str,
    found: Source,
    new: NewSource,
    etag: str,
) -> tuple[Source, Change]:
    source_rows.require_etag(found, etag)
    if (found.collection, found.folder) != (new.collection, new.folder):
        field = "folder" if found.collection == new.collection else "collection"
        raise InvalidArgumentError(f"source.{field}", "stays what it was made with")
    if found.spec == new.spec:
        return found, Change.UNCHANGED
    await source_rows.update(connection, tenant, found.id, new.spec, principal)
    await _start(connection, tenant, found.id, new)
    return await source_rows.get(connection, tenant, new.name), Change.CHANGED


async def _start(connection: AsyncConnection, tenant: UUID, source: UUID, new: NewSource) -> None:
    """Has a source that reads something else run now, unless it is paused."""
    if new.spec.paused:
        await run_rows.schedule(connection, tenant, source)
    else:
        await run_rows.ask(connection, tenant, source, anew=False)


async def _locked(connection: AsyncConnection, tenant: UUID, name: str) -> Source:
    found = await source_rows.lock(connection, tenant, name)
    if found is None:
        raise MissingError("source", name)
    return found
