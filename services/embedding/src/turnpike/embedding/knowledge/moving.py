"""The task of a replica that carries migrations on: jobs, the comparison, what is dropped."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.failures import persist
from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.embedding.catalogue import Catalogue, name_of
from turnpike.embedding.claims import POLL_SECONDS, ClaimLostError, Polling, renewing
from turnpike.embedding.knowledge import key_rows, migration_rows
from turnpike.embedding.knowledge.comparing import Comparing
from turnpike.embedding.knowledge.migration_rows import Claim
from turnpike.embedding.knowledge.model import MigrationState
from turnpike.embedding.knowledge.recall_rows import Space
from turnpike.rpc.errors import ServiceError

logger = logging.getLogger(__name__)

_REGISTER_SECONDS = 10.0
"""How long a database that goes away while a replica comes up is waited for."""

_RETRY_SECONDS = 5.0
_REPLACE_SECONDS = 30.0
_IDLE_SECONDS = 60.0
"""After how long a migration is looked at that waits for somebody to decide."""


class Mover:
    """Carries migrations of every tenant on while it is open.

    Each step is a transaction of its own, so that whoever comes after a process that was
    killed goes on where it was.
    """

    def __init__(
        self,
        system: AsyncEngine,
        engine: AsyncEngine,
        catalogue: Catalogue,
        comparing: Comparing,
        has_jobs: Callable[[], None],
    ) -> None:
        """Takes whom to tell that there are jobs, beside its stores and models."""
        self._system = system
        self._engine = engine
        self._catalogue = catalogue
        self._comparing = comparing
        self._has_jobs = has_jobs
        self._polling = Polling(self._next)
        self._replace_at = 0.0

    def wake(self) -> None:
        """Has it look for a migration now."""
        self._polling.wake()

    async def register(self) -> None:
        """Takes the keys under which this replica's models keep their vectors."""
        models = self._catalogue.names()
        identities = {name: model.stored_identity for name, model in models.items()}

        async def register() -> dict[str, str]:
            async with system_transaction(self._system) as connection:
                return await key_rows.register(connection, identities)

        # A model that is registered twice has the key that it has.
        self._catalogue.set_keys(await persist(register, _REGISTER_SECONDS))

    def moving(self) -> AbstractAsyncContextManager[None]:
        """Carries migrations on while the block runs."""
        return self._polling.working(1, "migrate collections")

    async def _next(self) -> bool:
        """Does a step of a migration, if there is one."""
        try:
            await self._replace()
            async with system_transaction(self._system) as connection:
                claim = await migration_rows.claim(connection)
            if claim is None:
                return False
            wait = await self._attempt(claim)
            async with tenant_transaction(self._engine, claim.tenant) as connection:
                await migration_rows.release(connection, claim, wait)
        except ClaimLostError:
            return True
        except (SQLAlchemyError, OSError):
            logger.warning("a migration did not go on", exc_info=True)
            return False
        return True

    async def _attempt(self, claim: Claim) -> float:
        """As `_step`, which takes as long as it takes."""
        try:
            async with renewing(lambda: self._renew(claim), claim.migration.collection):
                return await self._step(claim)
        except ServiceError as error:
            logger.info("a migration waits: %s", error.reason)
            return _RETRY_SECONDS

    async def _renew(self, claim: Claim) -> None:
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            await migration_rows.renew(connection, claim)

    async def _step(self, claim: Claim) -> float:
        """Does a step, and returns after how many seconds to do the next."""
        migration = claim.migration
        if migration.state.is_decided:
            async with self._held(claim) as connection:
                await migration_rows.drop(connection, claim)
            return 0
        if not claim.all_asked:
            async with self._held(claim) as connection:
                await migration_rows.ask(connection, claim)
            self._has_jobs()
            return 0
        if migration.comparison.sample:
            return _IDLE_SECONDS
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            advance = await migration_rows.advance(connection, claim.tenant, migration)
        if advance.done < advance.total:
            return POLL_SECONDS
        return await self._end(claim)

    @asynccontextmanager
    async def _held(self, claim: Claim) -> AsyncGenerator[AsyncConnection]:
        """Opens a transaction in which nobody else decides, and nobody writes to the collection.

        First the collection, as everybody does: a step meets the same documents as a writer
        does, or as whoever deletes them all, and neither is to wait for the other in turn.
        """
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            await migration_rows.lock_by_id(connection, claim.tenant, claim.migration.collection)
            await migration_rows.hold(connection, claim)
            yield connection

    async def _end(self, claim: Claim) -> float:
        migration, tenant = claim.migration, claim.tenant
        if migration.state is MigrationState.REPLACING:
            async with self._held(claim) as connection:
                activated = MigrationState.ACTIVATED
                await migration_rows.decide(connection, tenant, migration.collection, activated)
            return 0
        source, target = (
            Space(tenant=tenant, collection=migration.collection, model=model)
            for model in (migration.source, migration.target)
        )
        found = await self._comparing.compare(source, target, claim.principal)
        async with tenant_transaction(self._engine, tenant) as connection:
            await migration_rows.compared(connection, claim, found)
        return _IDLE_SECONDS

    async def _replace(self) -> None:
        """Begins to replace vectors of models that were changed under their names, now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._replace_at:
            return
        self._replace_at = now + _REPLACE_SECONDS
        names = list(self._catalogue.names())
        async with system_transaction(self._system) as connection:
            # What an older configuration has is no replacement for what a newer one has.
            newest = await key_rows.newest(connection)
            keys = [key for name in names if (key := self._catalogue.key(name)) in newest]
            found = await migration_rows.stale(connection, keys)
        for tenant, collection, model in found:
            async with tenant_transaction(self._engine, tenant) as connection:
                await self._replace_one(connection, tenant, collection, model)

    async def _replace_one(
        self, connection: AsyncConnection, tenant: UUID, collection: UUID, model: str
    ) -> None:
        await migration_rows.lock_by_id(connection, tenant, collection)
        last = await migration_rows.find(connection, tenant, collection)
        target = self._catalogue.key(name_of(model))
        if last is not None and last.ended is None:
            if last.state.is_decided:
                return  # what is being dropped is dropped first
            # What it was to become is there in part: it becomes that.
            target = last.target
            await migration_rows.flip(connection, tenant, collection)
        await migration_rows.set_models(connection, tenant, collection, target, None)
        await migration_rows.begin(
            connection,
            tenant,
            collection,
            source=model,
            target=target,
            state=MigrationState.REPLACING,
            principal="",
        )
        logger.info("the model %s of a collection was changed under its name", name_of(model))
