"""A tenant's issuers, kept in Postgres."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.issuer import Issuer, IssuerSpec
from turnpike.gatekeeper.model import MissingError, NameTakenError
from turnpike.rpc.errors import ForbiddenError

COLUMNS = (
    "tenant, name, issuer, audience, jwks_url, algorithms, claims::text, roles::text,"
    " version, created, updated"
)
_VALUES = (
    ":issuer, :audience, :jwks_url, :algorithms, CAST(:claims AS jsonb), CAST(:roles AS jsonb)"
)

_INSERT = text(
    "INSERT INTO issuers (tenant, name, issuer, audience, jwks_url, algorithms, claims, roles)"
    f" VALUES (:tenant, :name, {_VALUES}) ON CONFLICT DO NOTHING RETURNING {COLUMNS}"
)
_GET = f"SELECT {COLUMNS} FROM issuers WHERE tenant = :tenant AND name = :name"
_GET_ONE, _LOCK = text(_GET), text(_GET + " FOR NO KEY UPDATE")
_LIST = text(
    f"SELECT {COLUMNS} FROM issuers WHERE tenant = :tenant AND name > :after"
    " ORDER BY name LIMIT :limit"
)
_REPLACE = text(
    "UPDATE issuers SET (issuer, audience, jwks_url, algorithms, claims, roles) ="
    f" ROW ({_VALUES}), version = version + 1, updated = clock_timestamp()"
    f" WHERE tenant = :tenant AND name = :name RETURNING {COLUMNS}"
)
_DELETE = text("DELETE FROM issuers WHERE tenant = :tenant AND name = :name")
_VOUCHES_FOR_OWNER = text(
    "SELECT EXISTS (SELECT FROM principals WHERE role = 'owner' AND removed IS NULL"
    " AND issuer = :issuer)"
)


async def create_issuer(
    connection: AsyncConnection, tenant: UUID, name: str, spec: IssuerSpec
) -> Issuer:
    """Creates an issuer.

    Raises:
        NameTakenError: The name, or its issuer and audience, are taken.
    """
    row = (await connection.execute(_INSERT, _values(tenant, name, spec))).mappings().one_or_none()
    if row is None:
        raise NameTakenError("issuer", name)
    return to_issuer(row)


async def find_issuer(
    connection: AsyncConnection, tenant: UUID, name: str, *, lock: bool = False
) -> Issuer | None:
    """Returns an issuer, or None."""
    statement = _LOCK if lock else _GET_ONE
    row = (
        (await connection.execute(statement, {"tenant": tenant, "name": name}))
        .mappings()
        .one_or_none()
    )
    return to_issuer(row) if row else None


async def get_issuer(
    connection: AsyncConnection, tenant: UUID, name: str, *, lock: bool = False
) -> Issuer:
    """Returns an issuer, or raises `MissingError`."""
    issuer = await find_issuer(connection, tenant, name, lock=lock)
    if issuer is None:
        raise MissingError("issuer", name)
    return issuer


async def list_issuers(
    connection: AsyncConnection, tenant: UUID, after: str, limit: int
) -> list[Issuer]:
    """Returns issuers by name, from behind `after` on."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    return [to_issuer(row) for row in (await connection.execute(_LIST, values)).mappings()]


async def replace_issuer(
    connection: AsyncConnection, tenant: UUID, name: str, spec: IssuerSpec
) -> Issuer:
    """Makes an issuer that is there and locked what `spec` says.

    Raises:
        NameTakenError: Its issuer and audience are taken.
    """
    try:
        row = (await connection.execute(_REPLACE, _values(tenant, name, spec))).mappings().one()
    except IntegrityError as error:
        raise NameTakenError("issuer", name) from error
    return to_issuer(row)


async def delete_issuer(connection: AsyncConnection, tenant: UUID, name: str) -> None:
    """Deletes an issuer, if it is there."""
    await connection.execute(_DELETE, {"tenant": tenant, "name": name})


async def refuse_owners_issuer(connection: AsyncConnection, issuer: str) -> None:
    """Raises `ForbiddenError` if an owner signs in by an issuer: who sets its keys is them."""
    if await connection.scalar(_VOUCHES_FOR_OWNER, {"issuer": issuer}):
        raise ForbiddenError("an owner signs in by this issuer: this is for owners alone")


def to_issuer(row: Any) -> Issuer:
    """Returns the issuer among the columns `COLUMNS` of a row."""
    spec = IssuerSpec(
        issuer=row["issuer"],
        audience=row["audience"],
        jwks_url=row["jwks_url"],
        algorithms=tuple(row["algorithms"]),
        claims=orjson.loads(row["claims"]),
        roles=orjson.loads(row["roles"]),
    )
    return Issuer(
        tenant=row["tenant"],
        name=row["name"],
        spec=spec,
        version=row["version"],
        created=row["created"],
        updated=row["updated"],
    )


def _values(tenant: UUID, name: str, spec: IssuerSpec) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "name": name,
        "issuer": spec.issuer,
        "audience": spec.audience,
        "jwks_url": spec.jwks_url,
        "algorithms": list(spec.algorithms),
        "claims": orjson.dumps(dict(spec.claims)).decode(),
        "roles": orjson.dumps(dict(spec.roles)).decode(),
    }
