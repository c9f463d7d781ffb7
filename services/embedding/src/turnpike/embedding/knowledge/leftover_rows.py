"""Contents that perhaps nothing is made of, as Postgres has them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

GRACE_SECONDS = 3600
"""How long bytes are kept that nothing names: far longer than any write takes that found them."""

_CLAIM_SECONDS = 300

_NOTE = text(
    "INSERT INTO leftovers (tenant, digest, blob, due_at)"
    " VALUES (:tenant, :digest, :blob, statement_timestamp() + make_interval(secs => :seconds))"
    " ON CONFLICT (tenant, digest, blob) DO UPDATE SET due_at = excluded.due_at"
)
_NOTE_COLLECTION = text(
    "INSERT INTO leftovers (tenant, digest, blob, due_at)"
    " SELECT DISTINCT c.tenant, c.digest, c.blob, statement_timestamp()"
    " FROM documents d JOIN revisions r ON r.tenant = d.tenant AND r.document = d.id"
    " JOIN contents c ON c.tenant = r.tenant AND c.digest = r.content"
    " WHERE d.tenant = :tenant AND d.collection = :collection"
    " ORDER BY c.digest, c.blob"  # two that are deleted at once have some in common
    " ON CONFLICT (tenant, digest, blob) DO UPDATE SET due_at = excluded.due_at"
)
_CLAIM = text(
    "UPDATE leftovers SET due_at = statement_timestamp() + make_interval(secs => :seconds)"
    " WHERE (tenant, digest, blob) = (SELECT tenant, digest, blob FROM leftovers"
    " WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING tenant, digest, blob"
)
# Whoever makes a revision of it locks it before: it is seen below, or finds nothing here.
_LOCK = text(
    "SELECT size FROM contents WHERE tenant = :tenant AND digest = :digest AND blob = :blob"
    " FOR UPDATE"
)
_IS_NAMED = text(
    "SELECT EXISTS (SELECT FROM revisions WHERE tenant = :tenant AND content = :digest)"
)
# What another content has too stays.
_DELETE_SUMMARIES = text("""
WITH gone AS (
  DELETE FROM summarized WHERE tenant = :tenant AND content = :digest
  RETURNING digest, recipe)
DELETE FROM summaries s USING gone g
WHERE s.tenant = :tenant AND s.digest = g.digest AND s.recipe = g.recipe
  AND NOT EXISTS (SELECT FROM summarized o WHERE o.tenant = :tenant AND o.digest = s.digest
    AND o.recipe = s.recipe AND o.content <> :digest)
""")
_DELETE = text("DELETE FROM contents WHERE tenant = :tenant AND digest = :digest")
_LOWER = text("UPDATE holdings SET bytes = bytes - :size WHERE tenant = :tenant")
_FORGET = text("DELETE FROM leftovers WHERE tenant = :tenant AND digest = :digest AND blob = :blob")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A content that perhaps nothing is made of."""

    tenant: UUID
    digest: bytes
    blob: str
    """Empty: it has no original in the blob store."""

    @property
    def values(self) -> dict[str, Any]:
        """Its key."""
        return {"tenant": self.tenant, "digest": self.digest, "blob": self.blob}


async def note(connection: AsyncConnection, leftover: Leftover) -> None:
    """Has a content looked at when whoever writes now has long ended."""
    await connection.execute(_NOTE, {**leftover.values, "seconds": GRACE_SECONDS})


async def note_collection(connection: AsyncConnection, tenant: UUID, collection: UUID) -> None:
    """Has everything looked at now that a collection's documents were made of."""
    await connection.execute(_NOTE_COLLECTION, {"tenant": tenant, "collection": collection})


async def claim(connection: AsyncConnection) -> Leftover | None:
    """Returns what is due, of any tenant; nobody else is given it for five minutes."""
    row = (await connection.execute(_CLAIM, {"seconds": _CLAIM_SECONDS})).one_or_none()
    return Leftover(row.tenant, row.digest, row.blob) if row else None


async def is_gone(connection: AsyncConnection, leftover: Leftover) -> bool:
    """Says whether the tenant keeps no such content; deletes one that nothing is made of.

    The bytes of one that is deleted here are to be looked at again: a write may have found
    the content before, and brings it back.
    """
    size = await connection.scalar(_LOCK, leftover.values)
    if size is None:
        return True
    if await connection.scalar(_IS_NAMED, leftover.values):
        await forget(connection, leftover)
        return False
    await connection.execute(_DELETE_SUMMARIES, leftover.values)
    await connection.execute(_DELETE, leftover.values)
    await connection.execute(_LOWER, {"tenant": leftover.tenant, "size": size})
    if leftover.blob:
        await note(connection, leftover)
    else:
        await forget(connection, leftover)
    return False


async def forget(connection: AsyncConnection, leftover: Leftover) -> None:
    """Has it looked at no more."""
    await connection.execute(_FORGET, leftover.values)
