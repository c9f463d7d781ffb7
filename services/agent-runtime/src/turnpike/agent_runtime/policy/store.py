"""What tenants and people say, and their grants, in Postgres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

NOBODY = UUID(int=0)
"""Whose policy the tenant's is."""

_COLUMNS = "v.id, v.number, v.spec, v.created_by, v.created"
_THIS = "p.tenant = :tenant AND p.principal = :principal"
_SELECT = (
    f"SELECT {_COLUMNS} FROM policies p JOIN policy_versions v ON v.id = p.version"  # noqa: S608 # constants
    f" WHERE {_THIS}"
)
_GET = text(_SELECT)
# Who says something for the first time has no row to lock.
_TAKE_TURNS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('policy ' || :tenant || :principal, 0))"
)
_ADD = text(
    "INSERT INTO policy_versions (id, tenant, principal, number, spec, created_by)"
    " VALUES (:id, :tenant, :principal, :number, CAST(:spec AS jsonb), :by)"
    " RETURNING id, number, spec, created_by, created"
)
_SET = text(
    "INSERT INTO policies (tenant, principal, version) VALUES (:tenant, :principal, :id)"
    " ON CONFLICT (tenant, principal) DO UPDATE SET version = :id"
)
_VERSIONS = text(
    f"SELECT {_COLUMNS} FROM policy_versions v"  # noqa: S608 # constants
    " WHERE v.tenant = :tenant AND v.principal = :principal"
    " AND v.number < CAST(:before AS bigint) ORDER BY v.number DESC LIMIT :limit"
)
_RECORD = text("SELECT record_audit(:tenant, :id, CAST(:entry AS jsonb))")
_GRANT_COLUMNS = (
    "id, principal, tool, definition_digest, conditions, expires, granted_by, approval, created,"
    " revoked, revoked_by FROM grants"
)
_GRANTS = text(
    f"SELECT {_GRANT_COLUMNS} WHERE tenant = :tenant"  # constants
    " AND (CAST(:principal AS uuid) IS NULL OR principal = :principal)"
    " AND (:ended OR (revoked IS NULL AND (expires IS NULL OR expires > statement_timestamp())))"
    " AND (created, id) < (CAST(:before AS timestamptz), CAST(:before_id AS uuid))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)
_GRANT = text(f"SELECT {_GRANT_COLUMNS} WHERE tenant = :tenant AND id = :id")  # constants
_REVOKE = text(
    "UPDATE grants SET revoked = statement_timestamp(), revoked_by = :by"
    " WHERE tenant = :tenant AND id = :id AND revoked IS NULL"
)
_BIGGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """What a tenant or a person said, once: it never changes."""

    id: UUID
    number: int
    spec: Mapping[str, Any]
    """As `documents` has it."""

    created_by: UUID
    created: datetime

    @property
    def etag(self) -> str:
        """Changes with each change."""
        return self.id.hex


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGrant:
    """A row of `grants`."""

    id: UUID
    principal: UUID
    tool: str
    definition_digest: str
    conditions: Sequence[Mapping[str, Any]]
    expires: datetime | None
    granted_by: UUID
    approval: UUID
    created: datetime
    revoked: datetime | None
    revoked_by: UUID | None


async def current(
    connection: AsyncConnection, tenant: UUID, principal: UUID, *, lock: bool = False
) -> PolicyVersion | None:
    """Returns what is said now; `lock` keeps everybody else from changing it."""
    if lock:
        whose = {"tenant": str(tenant), "principal": str(principal)}
        await connection.execute(_TAKE_TURNS, whose)
    row = (await connection.execute(_GET, {"tenant": tenant, "principal": principal})).one_or_none()
    return _version(row) if row else None


async def change(
    connection: AsyncConnection,
    tenant: UUID,
    principal: UUID,
    *,
    spec: Mapping[str, Any],
    by: UUID,
    before: PolicyVersion | None,
) -> PolicyVersion:
    """Adds the version after `before`, which the transaction locked, makes it count, audits it."""
    id_ = uuid4()
    number = before.number + 1 if before else 1
    whose = {"tenant": tenant, "principal": principal, "id": id_}
    added = {"number": number, "spec": orjson.dumps(spec).decode(), "by": by}
    made = _version((await connection.execute(_ADD, whose | added)).one())
    await connection.execute(_SET, whose)
    entry = {
        "kind": "POLICY_CHANGED",
        "scope": "TENANT" if principal == NOBODY else "PERSON",
        "principal": "" if principal == NOBODY else str(principal),
        "version": str(id_),
        "before": str(before.id) if before else "",
        # As a text: the chain covers these very bytes.
        "policy": added["spec"],
        "by": str(by),
    }
    await record(connection, tenant, f"policy:{id_}", entry)
    return made


async def versions(
    connection: AsyncConnection, tenant: UUID, principal: UUID, *, before: int | None, limit: int
) -> list[PolicyVersion]:
    """Returns versions below number `before`, newest first."""
    values = {
        "tenant": tenant,
        "principal": principal,
        "before": before or _BIGGEST,
        "limit": limit,
    }
    return [_version(row) for row in await connection.execute(_VERSIONS, values)]


async def record(
    connection: AsyncConnection, tenant: UUID, id_: str, entry: Mapping[str, Any]
) -> None:
    """Records an audit entry with whatever the transaction does."""
    values = {"tenant": tenant, "id": id_, "entry": orjson.dumps(entry).decode()}
    await connection.execute(_RECORD, values)


async def list_grants(
    connection: AsyncConnection,
    tenant: UUID,
    *,
    principal: UUID | None,
    ended: bool,
    before: tuple[datetime, UUID],
    limit: int,
) -> list[KeptGrant]:
    """Returns grants of a principal, or of all, older than `before`; newest first."""
    values = {
        "tenant": tenant,
        "principal": principal,
        "ended": ended,
        "before": before[0],
        "before_id": before[1],
        "limit": limit,
    }
    return [_grant(row) for row in await connection.execute(_GRANTS, values)]


async def get_grant(connection: AsyncConnection, tenant: UUID, grant: UUID) -> KeptGrant | None:
    """Returns a grant."""
    row = (await connection.execute(_GRANT, {"tenant": tenant, "id": grant})).one_or_none()
    return _grant(row) if row else None


async def revoke_grant(
    connection: AsyncConnection, tenant: UUID, grant: KeptGrant, by: UUID
) -> None:
    """Revokes a grant, if it still stands, and audits it."""
    values = {"tenant": tenant, "id": grant.id, "by": by}
    if (await connection.execute(_REVOKE, values)).rowcount:
        entry = {
            "kind": "GRANT_REVOKED",
            "grant": str(grant.id),
            "tool": grant.tool,
            "principal": str(grant.principal),
            "by": str(by),
        }
        await record(connection, tenant, f"revoked:{grant.id}", entry)


def _version(row: Any) -> PolicyVersion:
    return PolicyVersion(**row._mapping)  # SQLAlchemy's documented accessor


def _grant(row: Any) -> KeptGrant:
    return KeptGrant(**row._mapping)  # SQLAlchemy's documented accessor
