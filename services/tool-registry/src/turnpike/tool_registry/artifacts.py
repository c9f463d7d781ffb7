"""Artifacts of calls, in Postgres; their bytes are blobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.blobs.model import Blob
from turnpike.tool_registry.ownership import Who

_COLUMNS = "id, tenant, principal, turn, effect, name, media_type, size, digest, created"
_MINE = "(:all OR principal = :principal)"
# A call that is ended twice brings the same: its artifacts have the same ids.
_ADD = text(
    "INSERT INTO artifacts (id, tenant, principal, turn, effect, name, media_type, size, digest)"
    " VALUES (:id, :tenant, :principal, :turn, :effect, :name, :media_type, :size, :digest)"
    " ON CONFLICT (id) DO UPDATE SET size = excluded.size, digest = excluded.digest"
)
_GET = text(f"SELECT {_COLUMNS} FROM artifacts WHERE id = :id AND {_MINE}")  # noqa: S608 # constants
_LIST = text(
    f"SELECT {_COLUMNS} FROM artifacts WHERE turn = :turn AND {_MINE}"  # noqa: S608 # constants
    " ORDER BY effect, created, id LIMIT :limit"
)
_OLD = text(
    "SELECT id, tenant, digest FROM artifacts"
    " WHERE created < statement_timestamp() - CAST(:age AS interval) ORDER BY created LIMIT :limit"
)
_FORGET = text("DELETE FROM artifacts WHERE id = ANY(:ids)")


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


async def add(connection: AsyncConnection, artifact: dict[str, Any]) -> None:
    """Writes an artifact whose bytes are about to be kept."""
    await connection.execute(_ADD, artifact)


async def get(connection: AsyncConnection, artifact: UUID, who: Who) -> Artifact | None:
    """Returns an artifact of a call for `who`, or of anybody's for an admin."""
    values = {"id": artifact, "all": who.is_admin, "principal": who.principal}
    row = (await connection.execute(_GET, values)).one_or_none()
    return _artifact(row) if row else None


async def of_turn(connection: AsyncConnection, turn: UUID, who: Who, limit: int) -> list[Artifact]:
    """Returns a turn's artifacts, in the order of its calls."""
    values = {"turn": turn, "all": who.is_admin, "principal": who.principal, "limit": limit}
    return [_artifact(row) for row in await connection.execute(_LIST, values)]


async def older_than(
    connection: AsyncConnection, age: timedelta, limit: int
) -> list[tuple[UUID, Blob]]:
    """Returns the oldest artifacts; for the system role."""
    rows = await connection.execute(_OLD, {"age": age, "limit": limit})
    return [(row.id, Blob(row.tenant, row.digest, str(row.id))) for row in rows]


async def forget(connection: AsyncConnection, artifacts: list[UUID]) -> None:
    """Deletes artifacts whose bytes are gone; for the system role."""
    await connection.execute(_FORGET, {"ids": artifacts})


def _artifact(row: Any) -> Artifact:
    return Artifact(**row._mapping)  # SQLAlchemy's documented accessor
