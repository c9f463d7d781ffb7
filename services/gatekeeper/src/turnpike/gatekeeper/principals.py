"""A tenant's principals, kept in Postgres."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.model import MissingError, Principal, StateError
from turnpike.rpc.errors import ForbiddenError

COLUMNS = "id, tenant, name, role, kind, email, issuer, created, removed, generation"

_INSERT = text(
    "INSERT INTO principals (tenant, name, role) VALUES (:tenant, :name, :role)"
    f" RETURNING {COLUMNS}"
)
_GET = text(f"SELECT {COLUMNS} FROM principals WHERE id = :id")
_LIST = text(
    f"SELECT {COLUMNS} FROM principals WHERE removed IS NULL"
    " AND (:kind = '' OR kind = :kind)"
    " AND (CAST(:created AS timestamptz) IS NULL"
    " OR (created, id) < (:created, CAST(:id AS uuid)))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)

# Who administers is locked, and looked at once they are: of two who make each other none
# at once, the second finds that it is none itself. Whom it is about is locked in the same
# order, by which bans lock those whom they name.
_LOCK = text(
    "SELECT FROM principals WHERE (role IN ('owner', 'admin') OR id = :id) AND removed IS NULL"
    " ORDER BY id FOR NO KEY UPDATE"
)
_OWNERS = (
    "WITH admins AS ("
    " SELECT id, role FROM principals WHERE role IN ('owner', 'admin') AND removed IS NULL),"
    " owners AS (SELECT id FROM admins WHERE role = 'owner') "
)
# An owner is changed by owners only, and the last one stays. Owners are made by
# owners, and the first one by an admin. Somebody administers the tenant always.
_MAY = (
    " p.id = :id AND p.removed IS NULL"
    " AND (p.role <> 'owner' OR :caller IN (SELECT id FROM owners))"
    " AND (p.role <> 'owner' OR :role = 'owner'"
    "  OR EXISTS (SELECT FROM owners o WHERE o.id <> p.id))"
    " AND (:role <> 'owner' OR p.role = 'owner' OR :caller IN (SELECT id FROM owners)"
    "  OR NOT EXISTS (SELECT FROM owners))"
    " AND (p.role NOT IN ('owner', 'admin') OR :role IN ('owner', 'admin')"
    "  OR EXISTS (SELECT FROM admins a WHERE a.id <> p.id))"
)
_SET_ROLE = text(
    _OWNERS + f"UPDATE principals p SET role = :role WHERE {_MAY} AND p.role <> :role RETURNING id"
)
_SET_NAME = text(
    _OWNERS + f"UPDATE principals p SET name = :name WHERE {_MAY} AND p.name <> :name RETURNING id"
)
_REMOVE = text(
    _OWNERS + f"UPDATE principals p SET removed = clock_timestamp() WHERE {_MAY} RETURNING id"
)
# Why nothing was changed; read after the fact, it decides nothing.
_WHY_NOT = text(
    "SELECT p.role, p.removed, (SELECT count(*) FROM principals o"
    "  WHERE o.role IN ('owner', 'admin') AND o.removed IS NULL) AS admins,"
    " EXISTS (SELECT FROM principals c WHERE c.id = :caller AND c.role = 'owner'"
    "  AND c.removed IS NULL) AS is_owner"
    " FROM principals p WHERE p.id = :id"
)
_RENEW = text("SELECT renew_principal(:tenant, :id)")
_END_KEYS = text(
    "WITH ended AS (UPDATE api_keys SET revoked = clock_timestamp()"
    " WHERE principal = :id AND revoked IS NULL RETURNING tenant, principal, id)"
    " INSERT INTO revocations (tenant, principal, key) SELECT tenant, principal, id FROM ended"
)
_END = text("INSERT INTO revocations (tenant, principal) VALUES (:tenant, :id)")


async def create_principal(
    connection: AsyncConnection, *, tenant: UUID, name: str, role: str
) -> Principal:
    """Creates a service account."""
    values = {"tenant": tenant, "name": name, "role": role}
    return Principal(**(await connection.execute(_INSERT, values)).mappings().one())


async def get_principal(connection: AsyncConnection, id: UUID) -> Principal:
    """Returns a principal, a removed one too.

    Raises:
        MissingError: The tenant has no such principal.
    """
    row = (await connection.execute(_GET, {"id": id})).mappings().one_or_none()
    if row is None:
        raise MissingError("principal", str(id))
    return Principal(**row)


async def list_principals(
    connection: AsyncConnection, kind: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Principal]:
    """Returns principals, newest first, from after a position on."""
    created, id = after or (None, None)
    values = {"kind": kind, "created": created, "id": id, "limit": limit}
    return [Principal(**row) for row in (await connection.execute(_LIST, values)).mappings()]


async def lock_principal(connection: AsyncConnection, id: UUID) -> None:
    """Locks a principal and those who administer: before one is changed or removed."""
    await connection.execute(_LOCK, {"id": id})


async def set_role(
    connection: AsyncConnection, *, tenant: UUID, id: UUID, caller: UUID, role: str
) -> None:
    """Gives a principal another role; its tokens from before are refused.

    Raises as `_check` does.
    """
    values = {"id": id, "caller": caller, "role": role}
    if await connection.scalar(_SET_ROLE, values) is None:
        await _check(connection, values)
        return
    await connection.execute(_RENEW, {"tenant": tenant, "id": id})


async def set_name(connection: AsyncConnection, *, id: UUID, caller: UUID, name: str) -> None:
    """Gives a principal another name; raises as `_check` does."""
    principal = await get_principal(connection, id)
    values = {"id": id, "caller": caller, "role": principal.role, "name": name}
    if await connection.scalar(_SET_NAME, values) is None:
        await _check(connection, values)


async def remove_principal(
    connection: AsyncConnection, *, tenant: UUID, id: UUID, caller: UUID
) -> None:
    """Removes a principal, its keys with it; again does nothing.

    Raises as `_check` does.
    """
    values = {"id": id, "caller": caller, "role": ""}
    if await connection.scalar(_REMOVE, values) is None:
        await _check(connection, values, again=True)
        return
    for statement in (_RENEW, _END_KEYS, _END):
        await connection.execute(statement, {"tenant": tenant, "id": id})


async def _check(
    connection: AsyncConnection, values: dict[str, Any], *, again: bool = False
) -> None:
    """Returns when there was nothing to change.

    Raises:
        MissingError: There is no such principal, or it is removed.
        ForbiddenError: It is an owner, or would be, and the caller is none.
        StateError: It is the last owner, or the last to administer the tenant.
    """
    row = (await connection.execute(_WHY_NOT, values)).one_or_none()
    if row is None or (row.removed and not again):
        raise MissingError("principal", str(values["id"]))
    if row.removed or (row.role == values["role"] and (row.role != "owner" or row.is_owner)):
        return
    if row.role == "admin" and row.admins == 1 and values["role"] not in ("owner", "admin"):
        raise StateError("nobody else administers the tenant", kind="principal", cause="last_admin")
    if not row.is_owner:
        raise ForbiddenError("this is for owners alone")
    raise StateError("it is the tenant's last owner", kind="principal", cause="last_owner")
