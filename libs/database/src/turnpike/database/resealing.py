"""Sealing anew what older keys sealed, in whichever columns of a service's tables."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.engine import open_engine
from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.database.tenancy import system_transaction

_ROWS = "SELECT {key}, {column} AS sealed FROM {table} WHERE {column} <> '' ORDER BY {key}"
# Whoever changed it meanwhile sealed it anew.
_RESEAL = "UPDATE {table} SET {column} = :sealed WHERE ({key}) = ({named}) AND {column} = :before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A column that holds sealed texts."""

    table: str
    column: str
    key: tuple[str, ...]
    """The names that find a row; the first is `tenant`."""

    bound: Callable[..., str | UUID]
    """What a text is bound to, from the values of the key."""

    was_tenant_s: bool = False
    """An older version bound it to the tenant alone."""

    def statement(self, template: str) -> Any:
        """Returns a statement on the column."""
        named = ", ".join(f":{name}" for name in self.key)
        return text(
            template.format(
                table=self.table, column=self.column, key=", ".join(self.key), named=named
            )
        )


@dataclass(slots=True)
class Resealed:
    """What came of it, in texts."""

    sealed: int = 0
    broken: int = 0
    """Can be opened by no key that is there; they are as they were."""


async def reseal_columns(
    engine: AsyncEngine, envelope: Envelope, columns: Sequence[Sealed]
) -> Resealed:
    """Seals everything by the current key. May be run beside everything else, and again.

    Args:
        engine: The system role's.
        envelope: The keys, the current one first.
        columns: Where sealed texts are.
    """
    done = Resealed()
    for column in columns:
        async with system_transaction(engine) as connection:
            rows = (await connection.execute(column.statement(_ROWS))).all()
        for row in rows:
            try:
                sealed = _sealed(envelope, column, row)
            except SealBrokenError:
                done.broken += 1
                continue
            if sealed is not None:
                async with system_transaction(engine) as connection:
                    done.sealed += await _replace(connection, column, row, sealed)
    return done


def reseal_and_exit(url: str, keys: Mapping[str, bytes], columns: Sequence[Sealed]) -> NoReturn:
    """Seals anew, and says what was done; exits with 1 where something could not be opened."""
    done = asyncio.run(_run(url, Envelope(keys), columns))
    sys.stdout.write(f"sealed {done.sealed} anew; {done.broken} cannot be opened\n")
    sys.exit(1 if done.broken else 0)


async def _run(url: str, envelope: Envelope, columns: Sequence[Sealed]) -> Resealed:
    async with open_engine(url, pool_size=2) as engine:
        return await reseal_columns(engine, envelope, columns)


def _sealed(envelope: Envelope, column: Sealed, row: Any) -> str | None:
    """Returns a text sealed by the current key and bound as it is now; None if it is."""
    bound = column.bound(*row[:-1])
    try:
        if (anew := envelope.reseal(bound, row.sealed)) is None:
            # The key is told by its name: only opening shows what it is bound to.
            envelope.open(bound, row.sealed)
    except SealBrokenError:
        if not column.was_tenant_s:
            raise
        return envelope.seal(bound, envelope.open(row.tenant, row.sealed))
    return anew


async def _replace(connection: AsyncConnection, column: Sealed, row: Any, sealed: str) -> int:
    values = dict(zip(column.key, row[:-1], strict=True))
    values |= {"before": row.sealed, "sealed": sealed}
    return (await connection.execute(column.statement(_RESEAL), values)).rowcount
