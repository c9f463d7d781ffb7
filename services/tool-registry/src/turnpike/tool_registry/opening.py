"""Opening what a replica works with, and closing it in reverse."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.blobs.model import BlobStore
from turnpike.blobs.opening import open_store
from turnpike.database.engine import open_engine, open_pool
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials
from turnpike.rpc.gatekeeper import AUTHENTICATE, watched_credentials
from turnpike.rpc.process import StartError
from turnpike.tool_registry.built_in.knowledge import IDEMPOTENT as KNOWLEDGE_CALLS
from turnpike.tool_registry.settings import Settings

_NOWHERE = "dns:///embedding.invalid:1"


class _OverError(Exception):
    """Ends a group's tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a replica works with for as long as it runs."""

    keys: Credentials
    embedding: grpc.aio.Channel
    pool: asyncpg.Pool
    engine: AsyncEngine
    """As the service's own role."""

    system: AsyncEngine
    """As the role that sees every tenant's rows."""

    blobs: BlobStore
    tasks: asyncio.TaskGroup
    """For tasks that nobody waits for; they end first."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Opened]:
    """Opens it all, and closes it at the end.

    Raises:
        StartError: Postgres does not answer.
    """
    url, system_url = str(settings.database_url), str(settings.system_database_url)
    async with (
        open_channel(
            settings.gatekeeper_target, tls=settings.tls, idempotent=[AUTHENTICATE]
        ) as gatekeeper,
        watched_credentials(gatekeeper, settings) as keys,
        open_channel(
            settings.embedding_target or _NOWHERE, tls=settings.tls, idempotent=KNOWLEDGE_CALLS
        ) as embedding,
        _open_pool(url) as pool,
        open_engine(url, pool_size=8) as engine,
        open_engine(system_url, pool_size=2) as system,
        _open_blobs(settings) as blobs,
        _owned_tasks() as tasks,
    ):
        yield Opened(
            keys=keys,
            embedding=embedding,
            pool=pool,
            engine=engine,
            system=system,
            blobs=blobs,
            tasks=tasks,
        )


@asynccontextmanager
async def _owned_tasks() -> AsyncGenerator[asyncio.TaskGroup]:
    """Gives a group for tasks that nobody waits for; they end with the block."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            # A group has no other way to end all of its tasks.
            tasks.create_task(_end())
    except* _OverError:
        pass


async def _end() -> None:
    raise _OverError


@asynccontextmanager
async def _open_blobs(settings: Settings) -> AsyncGenerator[BlobStore]:
    store = open_store(settings, settings.service())
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _open_pool(url: str) -> AsyncGenerator[asyncpg.Pool]:
    try:
        pool = await open_pool(url, min_size=2, max_size=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error
    try:
        yield pool
    finally:
        pool.terminate()
