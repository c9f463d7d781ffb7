"""The tasks of a replica that index: each claims a job, does it, and looks for the next."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import system_transaction
from turnpike.embedding import metrics
from turnpike.embedding.claims import MAX_ATTEMPTS, ClaimLostError, Polling
from turnpike.embedding.knowledge import job_rows
from turnpike.embedding.knowledge.extraction import ExtractionError
from turnpike.embedding.knowledge.indexing import Indexer
from turnpike.embedding.knowledge.job_rows import Job
from turnpike.embedding.model import ModelReplacedError
from turnpike.rpc.errors import ServiceError

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0


class Workers:
    """Does jobs of every tenant while it is open."""

    def __init__(self, system: AsyncEngine, indexer: Indexer) -> None:
        self._system = system
        self._indexer = indexer
        self._polling = Polling(self._next)

    def wake(self) -> None:
        """Has somebody look for a job now."""
        self._polling.wake()

    def working(self, count: int) -> AbstractAsyncContextManager[None]:
        """Does jobs while the block runs, so many at a time.

        What is under way at its end is given back, for another replica to go on with.
        """
        return self._polling.working(count, "index")

    async def _next(self) -> bool:
        """Does a job, if there is one."""
        try:
            async with system_transaction(self._system) as connection:
                job = await job_rows.claim(connection)
        except (SQLAlchemyError, OSError):
            logger.warning("no job could be claimed", exc_info=True)
            return False
        if job is None:
            return False
        await self._attempt(job)
        return True

    async def _attempt(self, job: Job) -> None:
        try:
            await self._settle(job)
        except ClaimLostError:
            metrics.INDEXED.labels("lost").inc()
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_over(job))
            raise
        except (SQLAlchemyError, OSError):
            # The claim runs out by itself.
            logger.warning("indexing %s stopped", job.id, exc_info=True)

    async def _settle(self, job: Job) -> None:
        if job.attempts > MAX_ATTEMPTS:
            await self._fail(job, "POISONED", f"{job.attempts - 1} attempts did not end")
            return
        try:
            await self._indexer.run(job)
        except ExtractionError as error:
            await self._fail(job, error.reason, str(error))
        except ModelReplacedError:
            # Another replica may have it, or have it soon.
            await self._indexer.release(job, seconds=_RETRY_SECONDS, counts=False)
        except ServiceError as error:
            if error.retry_after is None:
                await self._fail(job, error.reason, str(error))
            else:
                seconds = max(error.retry_after.total_seconds(), _RETRY_SECONDS)
                # To wait for room, or for a provider, wears nothing out.
                await self._indexer.release(job, seconds=seconds, counts=False)
        else:
            metrics.INDEXED.labels("ready").inc()

    async def _fail(self, job: Job, reason: str, detail: str) -> None:
        logger.info("indexing %s failed: %s", job.id, reason)
        await self._indexer.end(job, reason, detail)
        metrics.INDEXED.labels("failed").inc()

    async def _hand_over(self, job: Job) -> None:
        try:
            await self._indexer.release(job, seconds=0, counts=False)
        except (ClaimLostError, SQLAlchemyError, OSError):
            logger.info("indexing %s is left to its claim's end", job.id)
