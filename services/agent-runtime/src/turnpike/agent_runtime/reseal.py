"""Seals anew what older keys sealed: `python -m turnpike.agent_runtime.reseal`.

Run it with the service's own settings once every replica has the new key in front; what it
reports as left cannot be opened by any key that is there. After it the old key may go.
"""

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.settings import Settings
from turnpike.database.engine import open_engine
from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.database.tenancy import system_transaction

_TABLES = ("models", "provider_keys")
_ROWS = (
    "SELECT tenant, principal, name, sealed_api_key FROM {table} WHERE sealed_api_key <> ''"
    " ORDER BY tenant, principal, name"
)
# Whoever changed it meanwhile sealed it anew.
_RESEAL = (
    "UPDATE {table} SET sealed_api_key = :sealed WHERE tenant = :tenant AND principal = :principal"
    " AND name = :name AND sealed_api_key = :before"
)


@dataclass(slots=True)
class Resealed:
    """What came of it, in rows."""

    sealed: int = 0
    broken: int = 0
    """Can be opened by no key that is there; they are as they were."""


async def reseal(engine: AsyncEngine, envelope: Envelope) -> Resealed:
    """Seals everything by the current key. May be run beside everything else, and again.

    Args:
        engine: The system role's.
        envelope: The keys, the current one first.
    """
    done = Resealed()
    for table in _TABLES:
        async with system_transaction(engine) as connection:
            rows = (await connection.execute(text(_ROWS.format(table=table)))).all()
        for row in rows:
            try:
                sealed = envelope.reseal(row.tenant, row.sealed_api_key)
            except SealBrokenError:
                done.broken += 1
                continue
            if sealed is not None:
                async with system_transaction(engine) as connection:
                    done.sealed += await _replace(connection, table, row, sealed)
    return done


async def _replace(connection: AsyncConnection, table: str, row: Any, sealed: str) -> int:
    values = {
        "tenant": row.tenant,
        "principal": row.principal,
        "name": row.name,
        "before": row.sealed_api_key,
        "sealed": sealed,
    }
    return (await connection.execute(text(_RESEAL.format(table=table)), values)).rowcount


async def _run(settings: Settings) -> Resealed:
    engine = open_engine(settings.system_database_url.get_secret_value(), pool_size=2)
    try:
        return await reseal(engine, Envelope(settings.secret_keys))
    finally:
        await engine.dispose()


def main() -> None:
    """Seals anew, and says what was done; exits with 1 where something could not be opened."""
    settings = Settings()  # pyright: ignore[reportCallIssue] # read from the environment
    done = asyncio.run(_run(settings))
    sys.stdout.write(f"sealed {done.sealed} anew; {done.broken} cannot be opened\n")
    sys.exit(1 if done.broken else 0)


if __name__ == "__main__":
    main()
