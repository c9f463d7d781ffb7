"""A tenant's API keys and the principals they stand for, kept in Postgres."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.model import ApiKey, MissingError, Principal

_IS_PLATFORM = text("SELECT platform FROM tenants WHERE tenant = :tenant")

_SELECT = (
    "SELECT k.id, k.name, k.created, k.expires, k.revoked,"
    " k.tenant, k.principal, p.name AS principal_name, p.role"
    " FROM api_keys k JOIN principals p ON p.id = k.principal"
)

_INSERT_PRINCIPAL = text(
    "INSERT INTO principals (tenant, name, role) VALUES (:tenant, :name, :role)"
    " RETURNING id, tenant, name, role"
)
_INSERT = text(
    "INSERT INTO api_keys (tenant, principal, name, hash, prefix, expires)"
    " VALUES (:tenant, :principal, :name, :hash, :prefix, :expires)"
    " RETURNING id, name, created, expires, revoked"
)
_LIST = text(
    _SELECT + " WHERE CAST(:created AS timestamptz) IS NULL"
    " OR (k.created, k.id) < (:created, CAST(:id AS uuid))"
    " ORDER BY k.created DESC, k.id DESC LIMIT :limit"
)
_GET = text(_SELECT + " WHERE k.id = :id")
_REVOKE = text(
    "UPDATE api_keys SET revoked = clock_timestamp() WHERE id = :id AND revoked IS NULL"
    " RETURNING tenant, principal"
)
_INSERT_REVOCATION = text(
    "INSERT INTO revocations (tenant, principal, key) VALUES (:tenant, :principal, :key)"
)


async def is_platform(connection: AsyncConnection, tenant: UUID) -> bool:
    """Says whether a tenant is the first, which creates the others."""
    return bool(await connection.scalar(_IS_PLATFORM, {"tenant": tenant}))


async def create_api_key(
    connection: AsyncConnection,
    *,
    tenant: UUID,
    name: str,
    role: str,
    digest: bytes,
    prefix: str,
    expires: datetime | None,
) -> ApiKey:
    """Creates a key with a principal of its own."""
    result = await connection.execute(
        _INSERT_PRINCIPAL, {"tenant": tenant, "name": name, "role": role}
    )
    principal = Principal(**result.mappings().one())
    values = {"hash": digest, "prefix": prefix, "expires": expires}
    result = await connection.execute(
        _INSERT, {"tenant": tenant, "principal": principal.id, "name": name, **values}
    )
    return ApiKey(**result.mappings().one(), principal=principal)


async def list_api_keys(
    connection: AsyncConnection, after: tuple[datetime, UUID] | None, limit: int
) -> list[ApiKey]:
    """Returns the tenant's keys, newest first, from after a position on."""
    created, id = after or (None, None)
    result = await connection.execute(_LIST, {"created": created, "id": id, "limit": limit})
    return [_to_key(row) for row in result]


async def revoke_api_key(connection: AsyncConnection, id: UUID) -> ApiKey:
    """Revokes a key and says so to those who watch; again does nothing.

    Raises:
        MissingError: The tenant has no such key.
    """
    revoked = (await connection.execute(_REVOKE, {"id": id})).mappings().one_or_none()
    if revoked:
        await connection.execute(_INSERT_REVOCATION, {**revoked, "key": id})
    row = (await connection.execute(_GET, {"id": id})).one_or_none()
    if row is None:
        raise MissingError("api_key", str(id))
    return _to_key(row)


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        principal=Principal(
            id=row.principal, tenant=row.tenant, name=row.principal_name, role=row.role
        ),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
