"""Artifacts of calls, in Postgres; their bytes are blobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.blobs.model import Blob
from turnpike.tool_registry.ownership import Who

_COLUMNS = "id, tenant, principal, turn, effect, name, media_type, size, digest, created"
_MINE = "(:all OR principal = :principal) AND due IS NULL"
# A call that is ended twice brings the same: its artifacts have the same ids. Of this and
# `forget_turns`, which ends the turn's fence for ever, the row's lock lets one come first.
_ADD = text(
    "INSERT INTO artifacts"
    " (id, tenant, principal, turn, effect, name, media_type, size, digest, kept)"
    " SELECT :id, f.tenant, :principal, f.turn, :effect, :name, :media_type, :size, :digest, false"
    " FROM turn_fences f WHERE f.tenant = :tenant AND f.turn = :turn"
    " AND f.fence < 9223372036854775807 FOR SHARE"
    " ON CONFLICT (id) DO UPDATE SET size = excluded.size, digest = excluded.digest"
)
_KEPT = text(
    "UPDATE artifacts SET kept = true,"
    " due = CASE WHEN due IS NULL THEN NULL ELSE statement_timestamp() END WHERE id = :id"
)
# The insertion holds the row until the end of the transaction.
_STORED = text("SELECT bytes FROM stored_bytes WHERE tenant = :tenant")
_FORGET_TURNS = text("SELECT forget_turns(:tenant, :turns)")
_GET = text(f"SELECT {_COLUMNS} FROM artifacts WHERE id = :id AND {_MINE}")  # noqa: S608 # constants
_LIST = text(
    f"SELECT {_COLUMNS} FROM artifacts WHERE turn = :turn AND {_MINE}"  # noqa: S608 # constants
    " ORDER BY effect, created, id LIMIT :limit"
)
_OLD = text(
    "SELECT id, tenant, digest FROM artifacts"
    " WHERE created < statement_timestamp() - CAST(:age AS interval)"
    " OR due <= statement_timestamp() ORDER BY created LIMIT :limit"
)
# In order, as `forget_turns`.
_FORGET = text(
    "DELETE FROM artifacts a USING ("
    "  SELECT id FROM artifacts WHERE id = ANY(:ids) ORDER BY id FOR UPDATE) gone"
    " WHERE a.id = gone.id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Bytes that a call brought."""

    id: UUID
    tenant: UUID
    principal: str
    turn: UUID
    effect: str
    name: str
    media_type: str
    size: int
    digest: str
    created: datetime

    @property
    def blob(self) -> Blob:
        """Where its bytes are: they are this artifact's alone."""
        return Blob(self.tenant, self.digest, str(self.id))


async def add(connection: AsyncConnection, artifact: dict[str, Any]) -> int | None:
    """Writes an artifact whose bytes are about to be kept.

    Returns:
        How many bytes its tenant then has, exactly; None: its turn is forgotten.
    """
    if (await connection.execute(_ADD, artifact)).rowcount == 0:
        return None
    return await connection.scalar(_STORED, {"tenant": artifact["tenant"]})


async def note_kept(connection: AsyncConnection, artifact: UUID) -> None:
    """Says that an artifact's bytes are kept."""
    await connection.execute(_KEPT, {"id": artifact})


async def forget_turns(connection: AsyncConnection, tenant: UUID, turns: Sequence[UUID]) -> None:
    """Hides what the turns' calls brought, has it deleted, and lets none be added."""
    await connection.execute(_FORGET_TURNS, {"tenant": tenant, "turns": list(turns)})


async def get(connection: AsyncConnection, artifact: UUID, who: Who) -> Artifact | None:
    """Returns an artifact of a call for `who`, or of anybody's for an admin."""
    values = {"id": artifact, "all": who.is_admin, "principal": who.principal}
    row = (await connection.execute(_GET, values)).one_or_none()
    return _artifact(row) if row else None


async def of_turn(connection: AsyncConnection, turn: UUID, who: Who, limit: int) -> list[Artifact]:
    """Returns a turn's artifacts, in the order of its calls."""
    values = {"turn": turn, "all": who.is_admin, "principal": who.principal, "limit": limit}
    return [_artifact(row) for row in await connection.execute(_LIST, values)]


async def find_due(
    connection: AsyncConnection, age: timedelta, limit: int
) -> list[tuple[UUID, Blob]]:
    """Returns artifacts that are due, the oldest first; for the system role."""
    rows = await connection.execute(_OLD, {"age": age, "limit": limit})
    return [(row.id, Blob(row.tenant, row.digest, str(row.id))) for row in rows]


async def forget(connection: AsyncConnection, artifacts: list[UUID]) -> None:
    """Deletes artifacts whose bytes are gone; for the system role."""
    await connection.execute(_FORGET, {"ids": artifacts})


def _artifact(row: Any) -> Artifact:
    return Artifact(**row._mapping)  # SQLAlchemy's documented accessor
