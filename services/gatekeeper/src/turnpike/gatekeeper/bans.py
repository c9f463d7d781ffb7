"""A tenant's bans, kept in Postgres."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.model import Ban, MissingError

# Selects the principal, so that one that does not exist bans nobody.
_UPSERT = text(
    "INSERT INTO bans (tenant, principal, note, expires)"
    " SELECT tenant, id, :note, :expires FROM principals WHERE id = :principal"
    " ON CONFLICT (tenant, principal) DO UPDATE"
    " SET note = excluded.note, expires = excluded.expires, created = excluded.created"
    " RETURNING id, principal, note, created, expires"
)
_LIST = text(
    "SELECT id, principal, note, created, expires FROM bans"
    " WHERE CAST(:created AS timestamptz) IS NULL"
    " OR (created, id) < (:created, CAST(:id AS uuid))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)
_DELETE = text("DELETE FROM bans WHERE id = :id RETURNING id")


async def create_ban(
    connection: AsyncConnection, *, principal: UUID, note: str, expires: datetime | None
) -> Ban:
    """Bans a principal, in place of the ban that it has.

    Raises:
        MissingError: The tenant has no such principal.
    """
    values = {"principal": principal, "note": note, "expires": expires}
    row = (await connection.execute(_UPSERT, values)).mappings().one_or_none()
    if row is None:
        raise MissingError("principal", str(principal))
    return Ban(**row)


async def list_bans(
    connection: AsyncConnection, after: tuple[datetime, UUID] | None, limit: int
) -> list[Ban]:
    """Returns the tenant's bans, newest first, from after a position on."""
    created, id = after or (None, None)
    result = await connection.execute(_LIST, {"created": created, "id": id, "limit": limit})
    return [Ban(**row) for row in result.mappings()]


async def delete_ban(connection: AsyncConnection, id: UUID) -> None:
    """Lifts a ban.

    Raises:
        MissingError: The tenant has no such ban.
    """
    if await connection.scalar(_DELETE, {"id": id}) is None:
        raise MissingError("ban", str(id))
