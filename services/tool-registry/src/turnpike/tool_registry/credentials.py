"""What persons' calls carry, kept in Postgres, sealed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope

_PUT = text(
    "INSERT INTO credentials (tenant, connector, principal, headers, header_names, version)"
    " VALUES (:tenant, :connector, :principal, :headers, :header_names, :version)"
    " ON CONFLICT (tenant, connector, principal) DO UPDATE SET headers = excluded.headers,"
    " header_names = excluded.header_names, version = excluded.version,"
    " updated = statement_timestamp() RETURNING *"
)
_GET = text(
    "SELECT * FROM credentials"
    " WHERE tenant = :tenant AND connector = :connector AND principal = :principal"
)
_NEWEST = text(
    "SELECT * FROM credentials WHERE tenant = :tenant AND connector = :connector"
    " ORDER BY updated DESC LIMIT 1"
)
_LIST = text(
    "SELECT * FROM credentials WHERE tenant = :tenant AND connector = :connector"
    " AND (:principal = '' OR principal = :principal) ORDER BY principal LIMIT 500"
)
_DELETE = text(
    "DELETE FROM credentials WHERE tenant = :tenant AND connector = :connector"
    " AND principal = :principal RETURNING principal"
)
_DELETE_ALL = text("DELETE FROM credentials WHERE tenant = :tenant AND connector = :connector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A person's credential for a connector, without its secrets."""

    connector: str
    principal: str
    header_names: tuple[str, ...]
    version: str
    update_time: datetime


class Credentials:
    """The credentials of every tenant's persons.

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
    ) -> Credential:
        """Stores what a person's calls carry from now on."""
        sealed = self._envelope.seal(
            _bound(tenant, connector, principal), orjson.dumps(headers).decode()
        )
        values = {
            **_key(tenant, connector, principal),
            "headers": sealed,
            "header_names": sorted(headers),
            "version": uuid4().hex,
        }
        return _to_credential((await connection.execute(_PUT, values)).one())

    async def find(
        self, connection: AsyncConnection, tenant: UUID, connector: str, principal: str
    ) -> tuple[Credential, dict[str, str]] | None:
        """Returns a person's credential with its headers."""
        return await self._one(connection, _GET, tenant, connector, principal)

    async def find_newest(
        self, connection: AsyncConnection, tenant: UUID, connector: str
    ) -> tuple[Credential, dict[str, str]] | None:
        """Returns the credential that was stored last, whosever it is."""
        return await self._one(connection, _NEWEST, tenant, connector, "")

    async def list_of(
        self, connection: AsyncConnection, tenant: UUID, connector: str, principal: str
    ) -> list[Credential]:
        """Returns the credentials for a connector; with a principal, that person's."""
        rows = await connection.execute(_LIST, _key(tenant, connector, principal))
        return [_to_credential(row) for row in rows]

    async def delete(
        self, connection: AsyncConnection, tenant: UUID, connector: str, principal: str
    ) -> bool:
        """Forgets a person's credential; says whether there was one."""
        key = _key(tenant, connector, principal)
        return await connection.scalar(_DELETE, key) is not None

    async def delete_all(self, connection: AsyncConnection, tenant: UUID, connector: str) -> None:
        """Forgets everybody's credential for a connector."""
        await connection.execute(_DELETE_ALL, {"tenant": tenant, "connector": connector})

    async def _one(
        self, connection: AsyncConnection, statement: Any, tenant: UUID, connector: str, who: str
    ) -> tuple[Credential, dict[str, str]] | None:
        key = _key(tenant, connector, who)
        row = (await connection.execute(statement, key)).one_or_none()
        if row is None:
            return None
        bound = _bound(tenant, connector, row.principal)
        return _to_credential(row), orjson.loads(self._envelope.open(bound, row.headers))


def _key(tenant: UUID, connector: str, principal: str) -> dict[str, Any]:
    return {"tenant": tenant, "connector": connector, "principal": principal}


def _bound(tenant: UUID, connector: str, principal: str) -> str:
    # What is sealed for one person opens for nobody else, whoever moves the row.
    return f"{tenant}/{connector}/{principal}"


def _to_credential(row: Any) -> Credential:
    return Credential(
        connector=row.connector,
        principal=row.principal,
        header_names=tuple(row.header_names),
        version=row.version,
        update_time=row.updated,
    )
