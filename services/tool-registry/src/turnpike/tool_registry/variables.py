"""Variables and secrets, a tenant's and persons', kept in Postgres, sealed."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.tool_registry import bindings

_PUT = text(
    "INSERT INTO variables (tenant, principal, name, secret, value, version)"
    " VALUES (:tenant, :principal, :name, :secret, :value, :version)"
    " ON CONFLICT (tenant, principal, name) DO UPDATE SET secret = excluded.secret,"
    " value = excluded.value, version = excluded.version, updated = statement_timestamp()"
    " RETURNING *"
)
# One at a time of one owner's: what is counted and compared is what stands.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_GET = text(
    "SELECT * FROM variables WHERE tenant = :tenant AND principal = :principal AND name = :name"
)
_LIST = text(
    "SELECT * FROM variables WHERE tenant = :tenant AND principal IN ('', :principal)"
    " AND (name, principal) > (:name, :after) ORDER BY name, principal LIMIT :limit"
)
_COUNT = text("SELECT count(*) FROM variables WHERE tenant = :tenant AND principal = :principal")
_DELETE = text(
    "DELETE FROM variables WHERE tenant = :tenant AND principal = :principal AND name = :name"
)
_FIND = text(
    "SELECT DISTINCT ON (name) * FROM variables WHERE tenant = :tenant AND name = ANY (:names)"
    " AND principal IN ('', :principal) ORDER BY name, principal DESC"
).bindparams(bindparam("names", type_=ARRAY(TEXT)))
# Of the persons who have what the tenant lacks, who has it newest.
_NEWEST = text(
    "SELECT principal FROM variables v WHERE tenant = :tenant AND principal <> ''"
    " AND name = ANY (:names) AND NOT EXISTS (SELECT FROM variables t"
    "  WHERE t.tenant = v.tenant AND t.principal = '' AND t.name = v.name)"
    " GROUP BY principal ORDER BY count(*) DESC, max(updated) DESC LIMIT 1"
).bindparams(bindparam("names", type_=ARRAY(TEXT)))
_USERS = text(
    "SELECT name FROM connectors WHERE tenant = :tenant AND :variable = ANY (variables)"
    " AND enabled AND state <> 'OK' ORDER BY name LIMIT 100"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value that connectors and agents name."""

    name: str
    principal: str
    """Whose it is; empty for the tenant's."""

    secret: bool
    value: str | None = field(repr=False)
    """None when it cannot be opened any more."""

    version: str
    create_time: datetime
    update_time: datetime


class Variables:
    """The variables of every tenant.

    Every method takes a transaction of the tenant that it works for.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def lock(self, connection: AsyncConnection, tenant: UUID, principal: str) -> None:
        """Lets nobody else change the same owner's variables until the transaction ends."""
        await connection.execute(_LOCK, {"key": f"variables/{tenant}/{principal}"})

    async def put(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        principal: str,
        name: str,
        value: str,
        *,
        secret: bool,
    ) -> Variable:
        """Stores a variable in place of the one before."""
        sealed = self._envelope.seal(bindings.of_variable(tenant, principal, name), value)
        values = {**_key(tenant, principal, name), "secret": secret, "value": sealed}
        row = (await connection.execute(_PUT, {**values, "version": uuid4().hex})).one()
        return self._variable(row)

    async def find(
        self, connection: AsyncConnection, tenant: UUID, principal: str, name: str
    ) -> Variable | None:
        """Returns one owner's variable."""
        row = (await connection.execute(_GET, _key(tenant, principal, name))).one_or_none()
        return None if row is None else self._variable(row)

    async def page(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        principal: str,
        *,
        after: tuple[str, str],
        limit: int,
    ) -> list[Variable]:
        """Returns the tenant's variables and a person's, by name, from behind `after` on."""
        values = {**_key(tenant, principal, after[0]), "after": after[1], "limit": limit}
        return [self._variable(row) for row in await connection.execute(_LIST, values)]

    async def count(self, connection: AsyncConnection, tenant: UUID, principal: str) -> int:
        """Counts one owner's variables."""
        return await connection.scalar(_COUNT, {"tenant": tenant, "principal": principal}) or 0

    async def delete(
        self, connection: AsyncConnection, tenant: UUID, principal: str, name: str
    ) -> None:
        """Deletes one owner's variable."""
        await connection.execute(_DELETE, _key(tenant, principal, name))

    async def values(
        self, connection: AsyncConnection, tenant: UUID, principal: str, names: Collection[str]
    ) -> dict[str, Variable]:
        """Returns what names stand for: a person's own variable before the tenant's."""
        values = {"tenant": tenant, "principal": principal, "names": sorted(names)}
        rows = await connection.execute(_FIND, values)
        return {row.name: self._variable(row) for row in rows}

    async def newest_owner(
        self, connection: AsyncConnection, tenant: UUID, names: Collection[str]
    ) -> str:
        """Returns the person who has most of what the tenant lacks; nobody if no one does."""
        values = {"tenant": tenant, "names": sorted(names)}
        return await connection.scalar(_NEWEST, values) or ""

    async def failing_users(
        self, connection: AsyncConnection, tenant: UUID, name: str
    ) -> list[str]:
        """Returns the connectors that name a variable, and do not fare well."""
        rows = await connection.scalars(_USERS, {"tenant": tenant, "variable": name})
        return list(rows)

    def _variable(self, row: Any) -> Variable:
        bound = bindings.of_variable(row.tenant, row.principal, row.name)
        return Variable(
            name=row.name,
            principal=row.principal,
            secret=row.secret,
            value=self._opened(bound, row.value),
            version=row.version,
            create_time=row.created,
            update_time=row.updated,
        )

    def _opened(self, bound: str, sealed: str) -> str | None:
        try:
            return self._envelope.open(bound, sealed)
        except SealBrokenError:
            # One that is broken hides no other, and can be set anew.
            return None


def secrets_in(variables: Iterable[Variable]) -> dict[str, str]:
    """Returns the values that nobody may be told, by name."""
    return {each.name: each.value for each in variables if each.secret and each.value}


def _key(tenant: UUID, principal: str, name: str) -> dict[str, Any]:
    return {"tenant": tenant, "principal": principal, "name": name}
