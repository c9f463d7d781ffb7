"""Tokens that authorization servers are to take back, kept in Postgres until they did.

A trigger writes them, in the transaction that ends a credential.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope
from turnpike.tool_registry import bindings

# Whoever takes one up has a minute; then it is another's to try, later each time.
_TAKE = text(
    "UPDATE revocations r SET tries = r.tries + 1,"
    " due = statement_timestamp() + make_interval(mins => (2 ^ least(r.tries, 10))::int)"
    " FROM (SELECT tenant, id, connector, principal FROM revocations"
    "  WHERE due <= statement_timestamp() ORDER BY due LIMIT :room FOR UPDATE SKIP LOCKED) d"
    " LEFT JOIN credentials c ON c.tenant = d.tenant AND c.connector = d.connector"
    "  AND c.principal = d.principal"
    " WHERE r.tenant = d.tenant AND r.id = d.id"
    " RETURNING r.*, coalesce(c.renewable, '') AS renewing"
)
_END = text("DELETE FROM revocations WHERE tenant = :tenant AND id = :id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A credential that is no more."""

    tenant: UUID
    id: UUID
    connector: str
    tries: int
    """How often it was tried, this time included."""

    sealed: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Its secrets."""

    revocation: str = field(repr=False)
    """Where, and as whom; see `revocation_from`."""

    grant: str = field(repr=False)
    """What renewed it; empty where nothing did."""

    successor: str = field(repr=False)
    """What renews the credential that took its place; empty where nothing does."""

    access: str = field(repr=False)


class Revocations:
    """What is owed to authorization servers."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def take(self, connection: AsyncConnection, *, room: int) -> list[Owed]:
        """Takes some that are due; for the system role."""
        return [
            Owed(tenant=row.tenant, id=row.id, connector=row.connector, tries=row.tries, sealed=row)
            for row in await connection.execute(_TAKE, {"room": room})
        ]

    async def end(self, connection: AsyncConnection, owed: Owed) -> None:
        """Forgets one; for the system role."""
        await connection.execute(_END, {"tenant": owed.tenant, "id": owed.id})

    def opened(self, owed: Owed) -> Opened:
        """Returns the secrets, or raises `SealBrokenError`."""
        row, key = owed.sealed, (owed.tenant, owed.connector, owed.sealed.principal)
        headers = orjson.loads(self._envelope.open(bindings.of_credential(*key), row.headers))
        grant, successor = (
            self._envelope.open(bindings.of_grant(*key), sealed) if sealed else ""
            for sealed in (row.renewable, row.renewing)
        )
        return Opened(
            revocation=self._envelope.open(bindings.of_revocation(*key), row.revocation),
            grant=grant,
            successor=successor,
            access=headers.get("authorization", "").removeprefix("Bearer "),
        )
