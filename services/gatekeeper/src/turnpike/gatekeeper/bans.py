"""A tenant's bans, and those that hold in every tenant, kept in Postgres."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.model import Ban, MissingError, Subject
from turnpike.rpc.errors import ForbiddenError

COLUMNS = "id, kind, coalesce(value, principal::text) AS value, platform, note, created, expires"

# What a ban names must be there, where it is one thing.
_PRINCIPAL_ROLE = text("SELECT role FROM principals WHERE tenant = :tenant AND id = :id")
_KEY_ROLE = text(
    "SELECT p.role FROM api_keys k JOIN principals p ON p.id = k.principal"
    " WHERE k.tenant = :tenant AND k.id = :id"
)
_UPSERT = text(
    "INSERT INTO bans (tenant, kind, principal, value, note, expires)"
    " VALUES (:tenant, :kind, CAST(:principal AS uuid), :value, :note, :expires)"
    " ON CONFLICT (tenant, subject, platform) DO UPDATE"
    " SET note = excluded.note, expires = excluded.expires, created = excluded.created"
    f" RETURNING {COLUMNS}"
)
_RENEW = text("SELECT renew_subject(:tenant, :subject, false)")
_LIST = text(
    f"SELECT {COLUMNS} FROM bans WHERE tenant = :tenant AND platform = :platform"
    " AND (CAST(:created AS timestamptz) IS NULL"
    " OR (created, id) < (:created, CAST(:id AS uuid)))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)
_DELETE = text(
    "DELETE FROM bans WHERE tenant = :tenant AND id = :id AND NOT platform RETURNING subject"
)
_KEEPS_OUT = text(
    "SELECT cause, until FROM find_ban(:tenant, :principal, NULL, NULL, CAST(:key AS uuid))"
)


async def create_ban(
    connection: AsyncConnection,
    *,
    tenant: UUID,
    subject: Subject,
    note: str,
    expires: datetime | None,
    by_owner: bool,
) -> Ban:
    """Bans a subject in a tenant, in place of the ban that it has.

    Raises:
        MissingError: The tenant has no such principal or key.
        ForbiddenError: It is an owner's, and no owner asks.
    """
    await _check_subject(connection, tenant, subject, by_owner=by_owner)
    is_principal = subject.kind == "principal"
    values = {
        "tenant": tenant,
        "kind": subject.kind,
        "principal": subject.value if is_principal else None,
        "value": None if is_principal else subject.value,
        "note": note,
        "expires": expires,
    }
    row = (await connection.execute(_UPSERT, values)).mappings().one()
    await connection.execute(_RENEW, {"tenant": tenant, "subject": str(subject)})
    return to_ban(row)


async def list_bans(
    connection: AsyncConnection,
    tenant: UUID,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    platform: bool,
) -> list[Ban]:
    """Returns bans, newest first, from after a position on."""
    created, id = after or (None, None)
    values = {"tenant": tenant, "platform": platform, "created": created, "id": id}
    result = await connection.execute(_LIST, {**values, "limit": limit})
    return [to_ban(row) for row in result.mappings()]


async def delete_ban(connection: AsyncConnection, tenant: UUID, id: UUID) -> bool:
    """Lifts a tenant's ban; returns whether there was one."""
    subject = await connection.scalar(_DELETE, {"tenant": tenant, "id": id})
    if subject is not None:
        await connection.execute(_RENEW, {"tenant": tenant, "subject": subject})
    return subject is not None


async def find_ban(
    connection: AsyncConnection, tenant: UUID, principal: UUID, key: UUID | None
) -> tuple[str, datetime | None] | None:
    """Returns what keeps somebody out now, and until when; None if nothing does."""
    values = {"tenant": tenant, "principal": principal, "key": key}
    row = (await connection.execute(_KEEPS_OUT, values)).one_or_none()
    return (row.cause, row.until) if row else None


async def _check_subject(
    connection: AsyncConnection, tenant: UUID, subject: Subject, *, by_owner: bool
) -> None:
    if subject.kind not in ("principal", "key"):
        return
    statement = _PRINCIPAL_ROLE if subject.kind == "principal" else _KEY_ROLE
    role = await connection.scalar(statement, {"tenant": tenant, "id": subject.value})
    if role is None:
        kind = "principal" if subject.kind == "principal" else "api_key"
        raise MissingError(kind, subject.value)
    if role == "owner" and not by_owner:
        raise ForbiddenError("an owner is banned by owners alone")


def to_ban(row: Any) -> Ban:
    """Returns the ban among the columns `COLUMNS` of a row."""
    return Ban(
        id=row["id"],
        subject=Subject(kind=row["kind"], value=row["value"]),
        platform=row["platform"],
        note=row["note"],
        created=row["created"],
        expires=row["expires"],
    )
