"""What calls carry in somebody's name, kept in Postgres, sealed.

A row is one person's, or, of the empty principal, serves whoever has none. What came from
an authorization server also has the means to renew it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope
from turnpike.tool_registry import bindings

SHARED = ""
"""The principal of the credential that serves whoever has none."""

# By Postgres' clock, as the statement that lets a call go judges it.
_LEND = (
    "SELECT *, coalesce(renew_at <= statement_timestamp(), false) AS due,"
    " coalesce(expires <= statement_timestamp(), false) AS expired FROM credentials"
    " WHERE tenant = :tenant AND connector = :connector"
)
_PUT = text(
    "INSERT INTO credentials AS k (tenant, connector, principal, headers, header_names, version,"
    " renewable, revocation, issuer, scope, expires, renew_at)"
    " VALUES (:tenant, :connector, :principal, :headers, :header_names, :version, :renewable,"
    " :revocation, :issuer, :scope, statement_timestamp() + CAST(:life AS interval),"
    " statement_timestamp() + CAST(:renew_in AS interval))"
    " ON CONFLICT (tenant, connector, principal) DO UPDATE SET headers = excluded.headers,"
    " header_names = excluded.header_names, version = excluded.version,"
    " renewable = excluded.renewable, revocation = excluded.revocation,"
    " issuer = excluded.issuer, scope = excluded.scope,"
    " expires = excluded.expires, renew_at = excluded.renew_at, serial = 0, refusal = '',"
    " renewal = NULL, renewal_until = NULL, wanted_scope = '',"
    " updated = statement_timestamp() RETURNING *"
)
# A person's own comes before the shared one, which is for connectors that do not want each
# person's own.
_FOR_CALL = text(
    f"{_LEND} AND (principal = :principal OR principal = '') AND (principal <> '' OR NOT :personal)"
    " ORDER BY principal = '' LIMIT 1"
)
_NEWEST = text(f"{_LEND} AND principal <> '' ORDER BY refusal <> '', updated DESC LIMIT 1")
_LIST = text(
    "SELECT * FROM credentials WHERE tenant = :tenant AND connector = :connector"
    " AND (:principal = '' OR principal IN ('', :principal)) ORDER BY principal LIMIT 500"
)
_SCOPE = text(
    "SELECT concat_ws(' ', nullif(scope, ''), nullif(wanted_scope, '')) FROM credentials"
    " WHERE tenant = :tenant AND connector = :connector AND principal = :principal"
    " AND wanted_scope <> ''"
)
_NOTE_SCOPE = text(
    "UPDATE credentials SET wanted_scope = :scope WHERE tenant = :tenant"
    " AND connector = :connector AND principal = :principal AND version = :version"
)
_DELETE = text(
    "DELETE FROM credentials WHERE tenant = :tenant AND connector = :connector"
    " AND principal = :principal RETURNING principal"
)
_DELETE_ALL = text("DELETE FROM credentials WHERE tenant = :tenant AND connector = :connector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential for a connector, without its secrets."""

    connector: str
    principal: str
    header_names: tuple[str, ...]
    version: str
    update_time: datetime
    issuer: str = ""
    scope: str = ""
    expire_time: datetime | None = None
    refusal: str = ""
    """Why it cannot be renewed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A credential as a call is given it."""

    principal: str
    version: str
    serial: int
    headers: dict[str, str] = field(repr=False)
    is_renewable: bool = False
    is_due: bool = False
    """It is to be renewed before it is used."""

    is_expired: bool = False
    refusal: str = ""

    @property
    def mark(self) -> str:
        """What names the very secret: another one after each renewal."""
        return f"{self.version}.{self.serial}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewable:
    """What came from an authorization server, beside the header."""

    grant: str = field(repr=False)
    """What renews it, as text."""

    issuer: str
    scope: str
    life: timedelta | None
    """How long it is good; None when that was not said."""

    renew_in: timedelta | None
    """When it is to be renewed."""

    revocation: str = field(default="", repr=False)
    """How to take it back, as text; empty where that is not known."""


class Credentials:
    """The credentials of every tenant.

    Every method takes a transaction of the tenant that it works for.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def put(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        connector: str,
        principal: str,
        headers: dict[str, str],
        renewable: Renewable | None = None,
    ) -> Credential:
        """Stores what calls carry from now on, in place of what was there."""
        values = {
            **_key(tenant, connector, principal),
            **self.columns(tenant, connector, principal, headers, renewable),
            "header_names": sorted(headers),
            "version": uuid4().hex,
        }
        return _to_credential((await connection.execute(_PUT, values)).one())

    def columns(
        self,
        tenant: UUID,
        connector: str,
        principal: str,
        headers: dict[str, str],
        renewable: Renewable | None,
    ) -> dict[str, Any]:
        """Returns what is stored of a secret, sealed."""
        bound = bindings.of_credential(tenant, connector, principal)
        renewing = bindings.of_grant(tenant, connector, principal)
        revoking = bindings.of_revocation(tenant, connector, principal)
        grant = renewable.grant if renewable else ""
        revocation = renewable.revocation if renewable else ""
        return {
            "headers": self._envelope.seal(bound, orjson.dumps(headers).decode()),
            "renewable": self._envelope.seal(renewing, grant) if grant else "",
            "revocation": self._envelope.seal(revoking, revocation) if revocation else "",
            "issuer": renewable.issuer if renewable else "",
            "scope": renewable.scope if renewable else "",
            "life": renewable.life if renewable else None,
            "renew_in": renewable.renew_in if renewable else None,
        }

    async def for_call(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        connector: str,
        principal: str,
        *,
        personal: bool,
    ) -> Loan | None:
        """Returns a person's credential, or the shared one where it may serve."""
        values = {**_key(tenant, connector, principal), "personal": personal}
        row = (await connection.execute(_FOR_CALL, values)).one_or_none()
        return None if row is None else self._to_loan(row)

    async def find_newest(
        self, connection: AsyncConnection, tenant: UUID, connector: str
    ) -> Loan | None:
        """Returns the person's credential that was stored last, of those that still serve."""
        values = {"tenant": tenant, "connector": connector}
        row = (await connection.execute(_NEWEST, values)).one_or_none()
        return None if row is None else self._to_loan(row)

    async def list_of(
        self, connection: AsyncConnection, tenant: UUID, connector: str, principal: str
    ) -> list[Credential]:
        """Returns the credentials for a connector; with a principal, that person's."""
        rows = await connection.execute(_LIST, _key(tenant, connector, principal))
        return [_to_credential(row) for row in rows]

    async def scope_of(
        self, connection: AsyncConnection, tenant: UUID, connector: str, principal: str
    ) -> str:
        """Returns what a credential is for and what it fell short of; empty if of nothing."""
        return await connection.scalar(_SCOPE, _key(tenant, connector, principal)) or ""

    async def note_scope(
        self, connection: AsyncConnection, tenant: UUID, connector: str, loan: Loan, scope: str
    ) -> None:
        """Notes what a credential falls short of, unless there is another by now."""
        key = _key(tenant, connector, loan.principal)
        values = {**key, "version": loan.version, "scope": scope[:2000]}
        await connection.execute(_NOTE_SCOPE, values)

    async def delete(
        self, connection: AsyncConnection, tenant: UUID, connector: str, principal: str
    ) -> bool:
        """Forgets a credential; says whether there was one."""
        key = _key(tenant, connector, principal)
        return await connection.scalar(_DELETE, key) is not None

    async def delete_all(self, connection: AsyncConnection, tenant: UUID, connector: str) -> None:
        """Forgets every credential for a connector."""
        await connection.execute(_DELETE_ALL, {"tenant": tenant, "connector": connector})

    def _to_loan(self, row: Any) -> Loan:
        bound = bindings.of_credential(row.tenant, row.connector, row.principal)
        return Loan(
            principal=row.principal,
            version=row.version,
            serial=row.serial,
            headers=orjson.loads(self._envelope.open(bound, row.headers)),
            is_renewable=bool(row.renewable),
            is_due=row.due,
            is_expired=row.expired,
            refusal=row.refusal,
        )


def _key(tenant: UUID, connector: str, principal: str) -> dict[str, Any]:
    return {"tenant": tenant, "connector": connector, "principal": principal}


def _to_credential(row: Any) -> Credential:
    return Credential(
        connector=row.connector,
        principal=row.principal,
        header_names=tuple(row.header_names),
        version=row.version,
        update_time=row.updated,
        issuer=row.issuer,
        scope=row.scope,
        expire_time=row.expires,
        refusal=row.refusal,
    )
