"""The tasks of a replica that run sources: each claims one, runs it, and looks for the next."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import system_transaction
from turnpike.embedding import metrics
from turnpike.embedding.claims import MAX_ATTEMPTS, ClaimLostError, Polling
from turnpike.embedding.sources import run_rows
from turnpike.embedding.sources.model import Job
from turnpike.embedding.sources.source_rows import to_spec
from turnpike.embedding.sources.syncing import Syncing
from turnpike.rpc.errors import ServiceError

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


class Workers:
    """Runs what is due of every tenant while it is open."""

    def __init__(self, system: AsyncEngine, syncing: Syncing) -> None:
        self._system = system
        self._syncing = syncing

    def working(self, count: int) -> AbstractAsyncContextManager[None]:
        """Runs sources while the block runs, so many at a time.

        What is under way at its end is given back, for another replica to go on with.
        """
        return Polling(self._next).working(count, "sources")

    async def _next(self) -> bool:
        """Runs a source, if one is due."""
        try:
            async with system_transaction(self._system) as connection:
                row = await run_rows.claim(connection)
        except (SQLAlchemyError, OSError):
            logger.warning("no source could be claimed", exc_info=True)
            return False
        if row is None:
            return False
        await self._attempt(_job(row))
        return True

    async def _attempt(self, job: Job) -> None:
        try:
            await self._settle(job)
        except ClaimLostError:
            metrics.SOURCE_RUNS.labels("lost").inc()
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_over(job, 0))
            raise
        except (SQLAlchemyError, OSError):
            # The claim runs out by itself.
            logger.warning("the run of source %s stopped", job.source, exc_info=True)
        except Exception:
            # A fault of ours ends this run's attempt, and not all that run sources.
            logger.exception("the run of source %s failed", job.source)

    async def _settle(self, job: Job) -> None:
        if job.attempts > MAX_ATTEMPTS:
            await self._syncing.poison(job)
            metrics.SOURCE_RUNS.labels("poisoned").inc()
            return
        try:
            await self._syncing.run(job)
        except ServiceError as error:
            # To wait for a service, or for the blob store, wears nothing out.
            logger.info("the run of source %s waits: %s", job.source, error)
            await self._syncing.release(job, seconds=_RETRY_SECONDS)
        else:
            metrics.SOURCE_RUNS.labels("ended").inc()

    async def _hand_over(self, job: Job, seconds: float) -> None:
        try:
            await self._syncing.release(job, seconds=seconds)
        except (ClaimLostError, SQLAlchemyError, OSError):
            logger.info("the run of source %s is left to its claim's end", job.source)


def _job(row: Any) -> Job:
    return Job(
        tenant=row.tenant,
        source=row.id,
        collection=row.collection,
        folder=row.folder,
        spec=to_spec(row),
        principal=row.principal,
        fence=row.fence,
        attempts=row.attempts,
    )
