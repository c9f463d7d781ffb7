"""Migrations of collections to other models: begun, shown, activated, given up."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.catalogue import name_of
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.knowledge import collection_rows, migration_rows
from turnpike.embedding.knowledge.errors import (
    MigrationIncompleteError,
    MigrationUnderWayError,
    MissingError,
)
from turnpike.embedding.knowledge.model import Advance, Migration, MigrationState
from turnpike.rpc.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Shown:
    """A migration, and how much of it is done while it runs."""

    migration: Migration
    advance: Advance | None


class Migrations:
    """Collections' migrations of every tenant; raises as the protocol says."""

    def __init__(self, engine: AsyncEngine, embedder: Embedder, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._embedder = embedder
        self._wake = wake

    async def begin(self, tenant: UUID, name: str, model: str, principal: str) -> Shown:
        """Begins a migration, or tries again what failed of it."""
        async with tenant_transaction(self._engine, tenant) as connection:
            identity = await migration_rows.lock(connection, tenant, name)
            found = await collection_rows.get(connection, tenant, name)
            target = self._embedder.require(model, found.max_tokens, found.overlap)
            last = await migration_rows.find(connection, tenant, identity)
            if last is not None and last.ended is None:
                if last.target != target or last.state.is_decided:
                    raise MigrationUnderWayError(name_of(last.target))
                await migration_rows.retry(connection, tenant, last)
            elif target == found.model:
                raise InvalidArgumentError("model", "is the collection's already")
            else:
                await migration_rows.set_models(connection, tenant, identity, found.model, target)
                last = await migration_rows.begin(
                    connection,
                    tenant,
                    identity,
                    source=found.model,
                    target=target,
                    state=MigrationState.RUNNING,
                    principal=principal,
                )
            shown = await _shown(connection, tenant, last)
        self._wake()
        return shown

    async def get(self, tenant: UUID, name: str) -> Shown:
        """Returns a collection's migration, or its last one."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await collection_rows.get(connection, tenant, name)
            return await _shown(connection, tenant, await _existing(connection, tenant, found.id))

    async def activate(self, tenant: UUID, name: str) -> Shown:
        """Has searches compare the new model's vectors, and drops the old ones."""
        async with tenant_transaction(self._engine, tenant) as connection:
            identity = await migration_rows.lock(connection, tenant, name)
            last = await _existing(connection, tenant, identity)
            if last.state is MigrationState.ABORTED:
                raise MissingError("migration", name)
            if last.state is not MigrationState.ACTIVATED:
                last = await self._activated(connection, tenant, last)
            shown = await _shown(connection, tenant, last)
        self._wake()
        return shown

    async def abort(self, tenant: UUID, name: str) -> Shown:
        """Gives a migration up, and drops the new model's vectors."""
        async with tenant_transaction(self._engine, tenant) as connection:
            identity = await migration_rows.lock(connection, tenant, name)
            last = await _existing(connection, tenant, identity)
            if last.state is MigrationState.ACTIVATED:
                raise MissingError("migration", name)
            if last.state is MigrationState.REPLACING:
                raise MigrationUnderWayError(name_of(last.target))
            if last.state is MigrationState.RUNNING:
                await migration_rows.set_models(connection, tenant, identity, last.source, None)
                aborted = MigrationState.ABORTED
                last = await migration_rows.decide(connection, tenant, identity, aborted)
            shown = await _shown(connection, tenant, last)
        self._wake()
        return shown

    async def _activated(
        self, connection: AsyncConnection, tenant: UUID, migration: Migration
    ) -> Migration:
        advance = await migration_rows.advance(connection, tenant, migration)
        if advance.done < advance.total:
            raise MigrationIncompleteError(advance.total - advance.done)
        identity = migration.collection
        await migration_rows.set_models(connection, tenant, identity, migration.target, None)
        activated = MigrationState.ACTIVATED
        return await migration_rows.decide(connection, tenant, identity, activated)


async def _existing(connection: AsyncConnection, tenant: UUID, collection: UUID) -> Migration:
    found = await migration_rows.find(connection, tenant, collection)
    if found is None:
        raise MissingError("migration", collection)
    return found


async def _shown(connection: AsyncConnection, tenant: UUID, migration: Migration) -> Shown:
    if migration.state.is_decided:
        return Shown(migration, None)
    return Shown(migration, await migration_rows.advance(connection, tenant, migration))
