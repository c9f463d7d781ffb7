"""What a replica keeps documents in, from its start to its end."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.engine import open_engine
from turnpike.database.tenancy import system_transaction
from turnpike.embedding.settings import Settings
from turnpike.rpc.process import StartError

_IS_MIGRATED = text("SELECT FROM indexings LIMIT 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Connections that everything shares."""

    engine: AsyncEngine
    """As the service: a transaction sees its tenant alone."""

    system: AsyncEngine
    """As the system role, for the listed statements."""


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncGenerator[Stores]:
    """Connects to Postgres.

    Raises:
        StartError: Postgres does not answer, or is not migrated.
    """
    async with (
        open_engine(settings.database_url.get_secret_value()) as engine,
        open_engine(settings.system_database_url.get_secret_value(), pool_size=3) as system,
    ):
        await _require_migrated(system)
        yield Stores(engine=engine, system=system)


async def _require_migrated(system: AsyncEngine) -> None:
    try:
        async with system_transaction(system) as connection:
            await connection.execute(_IS_MIGRATED)
    except ProgrammingError as error:
        raise StartError("migrate first: python -m turnpike.embedding.migrate") from error
    except (SQLAlchemyError, OSError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error
