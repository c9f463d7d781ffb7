"""Bans that hold in every tenant: the system role's statements about them.

Their rows are the first tenant's; whom they name may be anybody's.
"""

from datetime import datetime
from uuid import UUID

import asyncpg

from turnpike.gatekeeper.bans import COLUMNS, to_ban
from turnpike.gatekeeper.model import Ban, MissingError, Subject
from turnpike.gatekeeper.outages import postgres_answers

_TIMEOUT_SECONDS = 10.0

_KNOWN = {
    "principal": "SELECT true FROM principals WHERE id = $1",
    "key": "SELECT true FROM api_keys WHERE id = $1",
}
_UPSERT = f"""
INSERT INTO bans (tenant, kind, value, note, expires, platform)
SELECT tenant, $1, $2, $3, $4, true FROM tenants WHERE platform
ON CONFLICT (tenant, subject, platform) DO UPDATE
SET note = excluded.note, expires = excluded.expires, created = excluded.created
RETURNING {COLUMNS}
"""
_RENEW = "SELECT renew_subject(NULL, $1, true)"
_DELETE = "DELETE FROM bans WHERE id = $1 AND platform RETURNING subject"


class PlatformBans:
    """Bans in every tenant; raises `UnavailableError` when Postgres does not answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(self, subject: Subject, note: str, expires: datetime | None) -> Ban:
        """Bans a subject everywhere, in place of the ban that it has.

        Raises:
            MissingError: There is no such principal or key.
        """
        with postgres_answers():
            async with self._connection() as connection, connection.transaction():
                if (statement := _KNOWN.get(subject.kind)) and not await connection.fetchval(
                    statement, UUID(subject.value)
                ):
                    kind = "api_key" if subject.kind == "key" else subject.kind
                    raise MissingError(kind, subject.value)
                row = await connection.fetchrow(_UPSERT, subject.kind, subject.value, note, expires)
                await connection.execute(_RENEW, str(subject))
        return to_ban(row)

    async def delete(self, id: UUID) -> bool:
        """Lifts a ban; returns whether there was one."""
        with postgres_answers():
            async with self._connection() as connection, connection.transaction():
                subject = await connection.fetchval(_DELETE, id)
                if subject is not None:
                    await connection.execute(_RENEW, subject)
        return subject is not None

    def _connection(self) -> asyncpg.pool.PoolAcquireContext:
        return self._pool.acquire(timeout=_TIMEOUT_SECONDS)
