"""Who a credential belongs to: the system role's statements that look it up.

They see every tenant, since a credential does not say whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from turnpike.gatekeeper.api_keys import KEY, PRINCIPAL, to_key, to_principal
from turnpike.gatekeeper.credentials import digest
from turnpike.gatekeeper.issuer import Issuer, Person
from turnpike.gatekeeper.issuers import COLUMNS, to_issuer
from turnpike.gatekeeper.model import ApiKey, Principal
from turnpike.gatekeeper.outages import postgres_answers

_TIMEOUT_SECONDS = 2.0
# What says that somebody is banned must arrive, though the ban may end on its way.
_ARRIVAL = timedelta(seconds=5)

# One statement: the role, the generation and the ban are of one moment.
_KEY_OF_DIGEST = f"""
SELECT {KEY}, found.until AS secret_until, ban.cause, ban.until
FROM (
  SELECT id, NULL::timestamptz AS until FROM api_keys WHERE hash = $1
  UNION ALL
  SELECT key, until FROM retired_secrets WHERE hash = $1 AND until > now()
) found
JOIN api_keys k ON k.id = found.id
JOIN principals p ON p.tenant = k.tenant AND p.id = k.principal
LEFT JOIN LATERAL find_ban(k.tenant, p.id, NULL, NULL, k.id) ban ON true
WHERE k.revoked IS NULL AND p.removed IS NULL AND (k.expires IS NULL OR k.expires > now())
"""

_ISSUERS = f"""
SELECT {COLUMNS}, (SELECT platform FROM tenants t WHERE t.tenant = i.tenant) AS platform
FROM issuers i WHERE issuer = $1 AND audience = ANY($2::text[])
"""

_TENANT = "SELECT tenant FROM tenants WHERE tenant::text = $1 OR name = $1"

_PRINCIPAL = f"""
SELECT {PRINCIPAL}, ban.cause, ban.until FROM principals p
LEFT JOIN LATERAL find_ban(p.tenant, p.id, NULL, NULL, NULL) ban ON true
WHERE p.tenant = $1 AND p.id = $2 AND p.removed IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Whose a credential is, as of one moment."""

    principal: Principal
    key: ApiKey | None
    until: datetime | None
    """When what was shown ends, or the ban does, after which it must be looked at again."""

    banned: bool


class Keyring:
    """Looks credentials up.

    Every method raises `UnavailableError` when Postgres does not answer.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find_key(self, secret: str) -> Found | None:
        """Returns whose key `secret` is, unless it is unknown, expired or revoked.

        One statement finds all three out, so they take the same time.
        """
        rows = await self._fetch(_KEY_OF_DIGEST, digest(secret))
        if not rows:
            return None
        key = to_key(rows[0])
        return Found(
            principal=key.principal,
            key=key,
            until=_earliest(key.expires, rows[0]["secret_until"], _told_until(rows[0]["until"])),
            banned=rows[0]["cause"] is not None,
        )

    async def find_issuers(
        self, issuer: str, audiences: Sequence[str]
    ) -> list[tuple[Issuer, bool]]:
        """Returns who may have signed a token, and whether it is the first tenant's."""
        rows = await self._fetch(_ISSUERS, issuer, list(audiences))
        return [(to_issuer(row), bool(row["platform"])) for row in rows]

    async def find_tenant(self, id_or_name: str) -> UUID | None:
        """Returns the tenant that an issuer of the first tenant means."""
        rows = await self._fetch(_TENANT, id_or_name)
        return rows[0]["tenant"] if len(rows) == 1 else None

    async def sign_in(self, tenant: UUID, issuer: str, person: Person) -> Found | None:
        """Returns the principal that a person is, made at first sight; None when removed."""
        rows = await self._fetch(
            "SELECT sign_in($1, $2, $3, $4, $5, $6) AS id",
            tenant,
            issuer,
            person.subject,
            person.name,
            person.email,
            person.role,
        )
        # Read after what that wrote, if it did: its generation, and the ban, of now.
        rows = await self._fetch(_PRINCIPAL, tenant, rows[0]["id"])
        if not rows:
            return None
        return Found(
            principal=to_principal(rows[0]),
            key=None,
            until=_earliest(person.expires, _told_until(rows[0]["until"])),
            banned=rows[0]["cause"] is not None,
        )

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        with postgres_answers():
            async with self._pool.acquire(timeout=_TIMEOUT_SECONDS) as connection:
                return await connection.fetch(statement, *values, timeout=_TIMEOUT_SECONDS)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time), default=None)


def _told_until(ban_ends: datetime | None) -> datetime | None:
    return ban_ends and max(ban_ends, datetime.now(UTC) + _ARRIVAL)
