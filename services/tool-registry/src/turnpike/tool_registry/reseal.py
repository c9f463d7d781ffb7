"""Seals anew what older keys sealed: `python -m turnpike.tool_registry.reseal`.

Run it with the service's own settings once every replica has the new key in front; what it
reports as left cannot be opened by any key that is there. After it the old key may go. What
an older version bound to its tenant alone is bound to its connector, too.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.engine import open_engine
from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.database.tenancy import system_transaction
from turnpike.tool_registry import bindings
from turnpike.tool_registry.settings import Settings

_ROWS = "SELECT {key}, {column} AS sealed FROM {table} WHERE {column} <> '' ORDER BY {key}"
# Whoever changed it meanwhile sealed it anew.
_RESEAL = "UPDATE {table} SET {column} = :sealed WHERE ({key}) = ({named}) AND {column} = :before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A column that holds sealed texts."""

    table: str
    column: str
    key: tuple[str, ...]
    bound: Callable[..., str]
    """From the values of the key."""

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


_OF_CREDENTIALS = ("tenant", "connector", "principal")
COLUMNS = (
    Sealed(
        table="connectors",
        column="headers",
        key=("tenant", "name"),
        bound=bindings.of_connector,
        was_tenant_s=True,
    ),
    Sealed(
        table="connectors",
        column="env",
        key=("tenant", "name"),
        bound=bindings.of_connector,
        was_tenant_s=True,
    ),
    Sealed(
        table="credentials", column="headers", key=_OF_CREDENTIALS, bound=bindings.of_credential
    ),
    Sealed(table="credentials", column="renewable", key=_OF_CREDENTIALS, bound=bindings.of_grant),
    Sealed(
        table="sign_ins",
        column="pending",
        key=("tenant", "connector", "id"),
        bound=bindings.of_sign_in,
    ),
    Sealed(
        table="oauth_clients",
        column="client",
        # Several of one issuer have one binding; the last name only finds the row.
        key=("tenant", "connector", "issuer", "redirect_uri"),
        bound=lambda tenant, connector, issuer, _: bindings.of_client(tenant, connector, issuer),
    ),
    Sealed(
        table="variables",
        column="value",
        key=("tenant", "principal", "name"),
        bound=bindings.of_variable,
    ),
)


@dataclass(slots=True)
class Resealed:
    """What came of it, in texts."""

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
    for column in COLUMNS:
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


async def _run(settings: Settings) -> Resealed:
    engine = open_engine(str(settings.system_database_url), pool_size=2)
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
