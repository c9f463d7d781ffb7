"""The audit, in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
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
# Of a seal whose entry is gone the document is null, and whoever verifies sees it. One statement,
# so that what is forgotten meanwhile is in it, or the anchor in its place.
_LIST = text(
    "SELECT a.position, a.hash, CAST(NULL AS bigint) AS number, CAST(NULL AS text) AS document,"
    " true AS is_anchor FROM audit_anchors a WHERE a.tenant = :tenant AND a.position > :after"
    " UNION ALL (SELECT s.position, s.hash, e.number, CAST(e.entry AS text), false"
    " FROM audit_seals s LEFT JOIN audit_entries e ON e.tenant = s.tenant AND e.id = s.entry"
    " WHERE s.tenant = :tenant AND s.position > :after ORDER BY s.position LIMIT :limit)"
    " ORDER BY position"
)
# Jumps from tenant to tenant by the index, and reads no more.
_SEALED_TENANTS = text(
    "WITH RECURSIVE found(tenant) AS ("
    " (SELECT tenant FROM audit_seals ORDER BY tenant LIMIT 1)"
    " UNION ALL SELECT (SELECT s.tenant FROM audit_seals s WHERE s.tenant > found.tenant"
    "  ORDER BY s.tenant LIMIT 1) FROM found WHERE found.tenant IS NOT NULL)"
    " SELECT tenant FROM found WHERE tenant IS NOT NULL"
)
_FORGET = text("SELECT forget_audit(:tenant, :keep, :most)")
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
) -> tuple[Head | None, list[Recorded]]:
    """Returns sealed entries after a position, in their order; first where they begin by now.

    That is None where nothing after the position was forgotten.
    """
    values = {"tenant": tenant, "after": after, "limit": limit}
    anchor: Head | None = None
    found: list[Recorded] = []
    for row in await connection.execute(_LIST, values):
        if row.is_anchor:
            anchor = Head(row.position, row.hash)
        else:
            found.append(_recorded(row))
    return anchor, found


async def tenants_with_seals(connection: AsyncConnection) -> list[UUID]:
    """Returns tenants that have a chain; as the system role."""
    return list((await connection.execute(_SEALED_TENANTS)).scalars())


async def forget(connection: AsyncConnection, tenant: UUID, keep: timedelta, most: int) -> int:
    """Deletes a tenant's oldest entries, and writes down where the chain begins then.

    Returns:
        How many were deleted; 0, too, while somebody else is at the chain.
    """
    values = {"tenant": tenant, "keep": keep, "most": most}
    return (await connection.execute(_FORGET, values)).scalar_one()


async def unsealed_after(
    connection: AsyncConnection, tenant: UUID, after: int, limit: int
) -> list[Recorded]:
    """Returns entries without a seal, after a number."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    return [_recorded(row) for row in await connection.execute(_LIST_UNSEALED, values)]


async def of_turn(
    connection: AsyncConnection, tenant: UUID, turn: str, after: int, limit: int
) -> list[Recorded]:
    """Returns a turn's entries after a number, oldest first."""
    values = {"tenant": tenant, "turn": turn, "after": after, "limit": limit}
    return [_recorded(row) for row in await connection.execute(_OF_TURN, values)]


def _recorded(row: Any) -> Recorded:
    return Recorded(position=row.position, hash=row.hash, number=row.number, document=row.document)


def _values(row: Any) -> Any:
    return row._mapping  # SQLAlchemy's documented accessor
