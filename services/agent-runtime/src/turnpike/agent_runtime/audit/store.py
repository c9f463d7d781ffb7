"""The audit, in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.audit.model import Head, Seal

_TENANTS = text("SELECT DISTINCT tenant FROM audit_unsealed LIMIT 100")
# One replica chains a tenant's entries at a time; the others have better things to do.
_TAKE = text("SELECT pg_try_advisory_xact_lock(hashtextextended('audit ' || :tenant, 0))")
_HEAD = text(
    "SELECT position, hash FROM audit_seals WHERE tenant = :tenant ORDER BY position DESC LIMIT 1"
)
_UNSEALED = text(
    "SELECT u.number, e.id, CAST(e.entry AS text) AS document FROM audit_unsealed u"
    " JOIN audit_entries e ON e.tenant = u.tenant AND e.id = u.entry"
    " WHERE u.tenant = :tenant ORDER BY u.number LIMIT :limit"
)
_SEAL = text(
    "INSERT INTO audit_seals (tenant, position, entry, hash)"
    " SELECT :tenant, s.position, s.entry, s.hash FROM unnest(CAST(:positions AS bigint[]),"
    "  CAST(:entries AS text[]), CAST(:hashes AS text[])) AS s(position, entry, hash)"
)
_SEALED = text("DELETE FROM audit_unsealed WHERE tenant = :tenant AND number = ANY (:numbers)")
# Of a seal whose entry is gone the document is null, and whoever verifies sees it.
_LIST = text(
    "SELECT s.position, s.hash, e.number, CAST(e.entry AS text) AS document FROM audit_seals s"
    " LEFT JOIN audit_entries e ON e.tenant = s.tenant AND e.id = s.entry"
    " WHERE s.tenant = :tenant AND s.position > :after"
    " ORDER BY s.position LIMIT :limit"
)
_LIST_UNSEALED = text(
    "SELECT 0 AS position, '' AS hash, e.number, CAST(e.entry AS text) AS document"
    " FROM audit_entries e WHERE e.tenant = :tenant AND e.number > :after"
    " AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.tenant = e.tenant AND s.entry = e.id)"
    " ORDER BY e.number LIMIT :limit"
)
_OF_TURN = text(
    "SELECT coalesce(s.position, 0) AS position, coalesce(s.hash, '') AS hash, e.number,"
    " CAST(e.entry AS text) AS document FROM audit_entries e"
    " LEFT JOIN audit_seals s ON s.tenant = e.tenant AND s.entry = e.id"
    " WHERE e.tenant = :tenant AND e.entry ->> 'turn' = :turn AND e.number > :after"
    " ORDER BY e.number LIMIT :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An entry, and its seal if it has one."""

    position: int
    """0 of an entry that is not sealed yet."""

    hash: str
    number: int | None
    document: str | None
    """A JSON document; None of a seal whose entry is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed:
    """An entry that has no place in the chain yet."""

    number: int
    id: str
    document: str


async def tenants_to_seal(connection: AsyncConnection) -> list[UUID]:
    """Returns tenants with entries to be sealed; as the system role."""
    return list((await connection.execute(_TENANTS)).scalars())


async def take(connection: AsyncConnection, tenant: UUID) -> bool:
    """Keeps others from chaining a tenant's entries during the transaction, unless they do."""
    return bool(await connection.scalar(_TAKE, {"tenant": str(tenant)}))


async def head_of(connection: AsyncConnection, tenant: UUID) -> Head:
    """Returns the end of a tenant's chain."""
    row = (await connection.execute(_HEAD, {"tenant": tenant})).one_or_none()
    return Head(row.position, row.hash) if row else Head()


async def unsealed(connection: AsyncConnection, tenant: UUID, limit: int) -> list[Unsealed]:
    """Returns a tenant's oldest entries that are to be sealed."""
    rows = await connection.execute(_UNSEALED, {"tenant": tenant, "limit": limit})
    return [Unsealed(**_values(row)) for row in rows]


async def seal(
    connection: AsyncConnection, tenant: UUID, entries: Sequence[Unsealed], seals: Sequence[Seal]
) -> None:
    """Stores entries' seals."""
    values = {
        "tenant": tenant,
        "positions": [each.position for each in seals],
        "entries": [each.entry for each in seals],
        "hashes": [each.hash for each in seals],
    }
    await connection.execute(_SEAL, values)
    numbers = [each.number for each in entries]
    await connection.execute(_SEALED, {"tenant": tenant, "numbers": numbers})


async def sealed_after(
    connection: AsyncConnection, tenant: UUID, after: int, limit: int
) -> list[Recorded]:
    """Returns sealed entries after a position, in their order."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    return [Recorded(**_values(row)) for row in await connection.execute(_LIST, values)]


async def unsealed_after(
    connection: AsyncConnection, tenant: UUID, after: int, limit: int
) -> list[Recorded]:
    """Returns entries without a seal, after a number."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    return [Recorded(**_values(row)) for row in await connection.execute(_LIST_UNSEALED, values)]


async def of_turn(
    connection: AsyncConnection, tenant: UUID, turn: str, after: int, limit: int
) -> list[Recorded]:
    """Returns a turn's entries after a number, oldest first."""
    values = {"tenant": tenant, "turn": turn, "after": after, "limit": limit}
    return [Recorded(**_values(row)) for row in await connection.execute(_OF_TURN, values)]


def _values(row: Any) -> Any:
    return row._mapping  # SQLAlchemy's documented accessor
