"""A tenant's API keys, kept in Postgres."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.model import ApiKey, MissingError, Principal, StateError

_IS_PLATFORM = text("SELECT platform FROM tenants WHERE tenant = :tenant")

PRINCIPAL = (
    "p.tenant, p.id AS principal, p.name AS principal_name, p.role, p.kind, p.email,"
    " p.issuer, p.created AS principal_created, p.removed, p.generation"
)
KEY = (
    "k.id, k.name, k.created, k.expires, k.revoked, k.scopes, k.prefix, k.last_used, k.rotated,"
    f" {PRINCIPAL}"
)
_SELECT = f"SELECT {KEY} FROM api_keys k JOIN principals p ON p.id = k.principal"

_INSERT = text(
    "INSERT INTO api_keys (tenant, principal, name, hash, prefix, expires, scopes)"
    " VALUES (:tenant, :principal, :name, :hash, :prefix, :expires, :scopes) RETURNING id"
)
_LIST = text(
    _SELECT + " WHERE CAST(:created AS timestamptz) IS NULL"
    " OR (k.created, k.id) < (:created, CAST(:id AS uuid))"
    " ORDER BY k.created DESC, k.id DESC LIMIT :limit"
)
_GET = text(_SELECT + " WHERE k.id = :id")

# Whose it is, before it: as whoever removes them locks the two.
_LOCK_PRINCIPAL = text(
    "SELECT FROM principals WHERE id = (SELECT principal FROM api_keys WHERE id = :id)"
    " FOR NO KEY UPDATE"
)
# The row's lock makes rotations take turns, and each finds the other's secret. A
# revocation beside it comes before, and this finds no key, or after, and ends it.
_LOCK = text(
    "SELECT hash FROM api_keys WHERE id = :id AND revoked IS NULL"
    " AND (expires IS NULL OR expires > now()) FOR NO KEY UPDATE"
)
_RETIRE_EARLIER = text(
    "UPDATE retired_secrets SET until = least(until, now() + :overlap) WHERE key = :id"
)
_RETIRE = text(
    "INSERT INTO retired_secrets (hash, tenant, key, until)"
    " VALUES (:hash, :tenant, :id, now() + :overlap)"
)
_ROTATE = text(
    "UPDATE api_keys SET hash = :new, prefix = :prefix, rotated = clock_timestamp(),"
    " expires = coalesce(CAST(:expires AS timestamptz), expires) WHERE id = :id RETURNING principal"
)
_RENEW = text("SELECT renew_principal(:tenant, :principal)")

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
    principal: UUID,
    name: str,
    digest: bytes,
    prefix: str,
    expires: datetime | None,
    scopes: Sequence[str],
) -> ApiKey:
    """Creates a key of a principal's."""
    values = {"tenant": tenant, "principal": principal, "name": name, "scopes": list(scopes)}
    secret = {"hash": digest, "prefix": prefix, "expires": expires}
    return await get_api_key(connection, await connection.scalar(_INSERT, {**values, **secret}))


async def get_api_key(connection: AsyncConnection, id: UUID | None) -> ApiKey:
    """Returns a key, or raises `MissingError`."""
    row = (await connection.execute(_GET, {"id": id})).mappings().one_or_none()
    if row is None:
        raise MissingError("api_key", str(id))
    return to_key(row)


async def list_api_keys(
    connection: AsyncConnection, after: tuple[datetime, UUID] | None, limit: int
) -> list[ApiKey]:
    """Returns the tenant's keys, newest first, from after a position on."""
    created, id = after or (None, None)
    result = await connection.execute(_LIST, {"created": created, "id": id, "limit": limit})
    return [to_key(row) for row in result.mappings()]


async def rotate_api_key(
    connection: AsyncConnection,
    *,
    tenant: UUID,
    id: UUID,
    digest: bytes,
    prefix: str,
    overlap: timedelta,
    expires: datetime | None,
) -> ApiKey:
    """Gives a key a new secret; every older one ends after the overlap, or sooner.

    Raises:
        StateError: The key is revoked, or has ended.
    """
    await connection.execute(_LOCK_PRINCIPAL, {"id": id})
    old = await connection.scalar(_LOCK, {"id": id})
    if old is None:
        raise StateError("the key is revoked, or has ended", kind="api_key", id=str(id))
    retired = {"id": id, "tenant": tenant, "overlap": overlap}
    await connection.execute(_RETIRE_EARLIER, {"id": id, "overlap": overlap})
    await connection.execute(_RETIRE, {**retired, "hash": old})
    new = {"id": id, "new": digest, "prefix": prefix, "expires": expires}
    principal = await connection.scalar(_ROTATE, new)
    # Tokens of the old secret end with it, whoever keeps them.
    await connection.execute(_RENEW, {"tenant": tenant, "principal": principal})
    return await get_api_key(connection, id)


async def revoke_api_key(connection: AsyncConnection, id: UUID) -> ApiKey:
    """Revokes a key and says so to those who watch; again does nothing.

    Raises:
        MissingError: The tenant has no such key.
    """
    revoked = (await connection.execute(_REVOKE, {"id": id})).mappings().one_or_none()
    if revoked:
        await connection.execute(_INSERT_REVOCATION, {**revoked, "key": id})
    return await get_api_key(connection, id)


def to_principal(row: Any) -> Principal:
    """Returns the principal among the columns `PRINCIPAL` of a row."""
    return Principal(
        id=row["principal"],
        tenant=row["tenant"],
        name=row["principal_name"],
        role=row["role"],
        kind=row["kind"],
        email=row["email"],
        issuer=row["issuer"],
        created=row["principal_created"],
        removed=row["removed"],
        generation=row["generation"],
    )


def to_key(row: Any) -> ApiKey:
    """Returns the key among the columns `KEY` of a row."""
    return ApiKey(
        id=row["id"],
        name=row["name"],
        principal=to_principal(row),
        created=row["created"],
        expires=row["expires"],
        revoked=row["revoked"],
        scopes=tuple(row["scopes"]),
        prefix=row["prefix"],
        last_used=row["last_used"],
        rotated=row["rotated"],
    )
