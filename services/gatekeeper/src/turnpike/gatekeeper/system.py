"""The statements that see every tenant; nothing else uses the system role."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from turnpike.gatekeeper.api_keys import KEY, to_key
from turnpike.gatekeeper.credentials import digest, prefix
from turnpike.gatekeeper.model import (
    ApiKey,
    NameTakenError,
    Principal,
    Refusal,
    Revocation,
    RunningTurn,
    Tenant,
)
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.gatekeeper.principals import COLUMNS

_Connection: TypeAlias = "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy"

_TIMEOUT_SECONDS = 2.0
_MOST_REVOCATIONS = 1000

# Two replicas that start at once take turns.
_BOOTSTRAP_LOCK = (7420, 2)

# One that was rotated away does not come back with the next start.
_IS_KEY = (
    "SELECT true FROM api_keys WHERE hash = $1"
    " UNION ALL SELECT true FROM retired_secrets WHERE hash = $1"
)

# The horizon of `tenants` is extended as `admit` does it. A row that is locked
# is being extended.
_ENDED = """
WITH extended AS (
  UPDATE tenants SET active_until = now() + interval '25 seconds' WHERE tenant IN (
    SELECT tenant FROM tenants WHERE tenant = ANY($2::uuid[])
      AND coalesce(active_until < now() + interval '12 seconds', true)
    FOR NO KEY UPDATE SKIP LOCKED))
SELECT asked.turn, found.cause
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[])
  AS asked (turn, tenant, principal, caller, agent_owner, key)
CROSS JOIN LATERAL find_ban(
  asked.tenant, asked.principal, asked.caller, asked.agent_owner, asked.key) AS found
"""

# A token may be issued between a key's revocation and its commit. The key gets no
# further ones, so all that there are were issued before now.
_REVOCATIONS_AFTER = """
SELECT id, tenant, principal, key, generation,
  CASE WHEN key IS NULL THEN revoke_time ELSE statement_timestamp() END AS revoked
FROM revocations WHERE id > $1 ORDER BY id LIMIT $2
"""

# One statement, so that what it begins before is what it knows of.
_RECENT_POSITION = """
SELECT coalesce(
  (SELECT min(id) - 1 FROM revocations WHERE revoke_time > now() - interval '65 minutes'),
  (SELECT max(id) FROM revocations), 0)
"""

# Replicas write of the same keys at once; a locked one is being written.
_KEYS_USED = """
UPDATE api_keys SET last_used = now() WHERE id IN (
  SELECT id FROM api_keys
  WHERE id = ANY($1::uuid[]) AND coalesce(last_used < now() - interval '1 minute', true)
  FOR NO KEY UPDATE SKIP LOCKED)
"""

_REFUSED = """
INSERT INTO refusals (
  tenant, turn, attempt, segment, principal, reason, caller, key, agent, details)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[],
  $7::uuid[], $8::uuid[], $9::text[], $10::jsonb[])
ORDER BY 1, 2, 3, 4 -- as every replica does, so that no two wait for each other
ON CONFLICT (tenant, turn, attempt, segment) DO UPDATE
SET reason = excluded.reason, created = excluded.created, details = excluded.details
"""

_FORGET = (
    "DELETE FROM refusals WHERE created < now() - interval '30 days'",
    # Nothing that a key opened is held for so long.
    "DELETE FROM revocations WHERE revoke_time < now() - interval '1 day'",
)

_TENANTS = """
SELECT tenant AS id, name, slots, created FROM tenants
WHERE $1::timestamptz IS NULL OR (created, tenant) < ($1, $2)
ORDER BY created DESC, tenant DESC LIMIT $3
"""


class System:
    """Gatekeeper's view of all tenants.

    Every method raises `UnavailableError` when Postgres does not answer.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find_ended(self, turns: Sequence[RunningTurn]) -> dict[UUID, str]:
        """Returns what by now keeps out those behind running turns, by turn.

        The cause is as in `find_ban`. Says in the same round trip that their tenants
        hold slots.
        """
        columns = [
            [turn.turn for turn in turns],
            [turn.tenant for turn in turns],
            [turn.principal for turn in turns],
            [turn.caller for turn in turns],
            [turn.agent_owner for turn in turns],
            [turn.key for turn in turns],
        ]
        return {row["turn"]: row["cause"] for row in await self._fetch(_ENDED, *columns)}

    async def revocations_after(self, position: int) -> list[Revocation]:
        """Returns the oldest revocations after a position, in their order.

        None that becomes visible later has a lower id; `order_revocation` in
        the migrations sees to it.
        """
        rows = await self._fetch(_REVOCATIONS_AFTER, position, _MOST_REVOCATIONS)
        return [Revocation(**row) for row in rows]

    async def recent_position(self) -> int:
        """Returns the position before the revocations of the last 65 minutes."""
        rows = await self._fetch(_RECENT_POSITION)
        return rows[0][0]

    async def note_used(self, keys: Iterable[UUID]) -> None:
        """Says that keys were used now; to the minute."""
        await self._fetch(_KEYS_USED, list(keys))

    async def note_refused(self, refusals: Sequence[Refusal]) -> None:
        """Records refusals; a try's last one stands."""
        columns = [
            [refusal.segment.tenant for refusal in refusals],
            [refusal.segment.turn for refusal in refusals],
            [refusal.segment.attempt for refusal in refusals],
            [refusal.segment.number for refusal in refusals],
            [refusal.segment.principal for refusal in refusals],
            [refusal.reason for refusal in refusals],
            [refusal.segment.caller for refusal in refusals],
            [refusal.segment.key for refusal in refusals],
            [refusal.segment.agent for refusal in refusals],
            [json.dumps(dict(refusal.details)) for refusal in refusals],
        ]
        await self._fetch(_REFUSED, *columns)

    async def forget(self) -> None:
        """Deletes what nobody will ask for any more."""
        for statement in _FORGET:
            await self._fetch(statement)

    async def list_tenants(self, after: tuple[datetime, UUID] | None, limit: int) -> list[Tenant]:
        """Returns tenants, newest first, from after a position on."""
        created, id = after or (None, None)
        return [Tenant(**row) for row in await self._fetch(_TENANTS, created, id, limit)]

    async def create_tenant(self, name: str, slots: int, secret: str) -> tuple[Tenant, ApiKey]:
        """Creates a tenant with an admin, whose key is `secret`.

        Raises:
            NameTakenError: The name is taken.
        """
        with postgres_answers():
            async with self._connection() as connection, connection.transaction():
                row = await connection.fetchrow(
                    "INSERT INTO tenants (name, slots) VALUES ($1, $2) ON CONFLICT (name)"
                    " DO NOTHING RETURNING tenant AS id, name, slots, created",
                    name,
                    slots,
                )
                if row is None:
                    raise NameTakenError("tenant", name)
                principal = await _insert_admin(connection, row["id"])
                key = await _insert_key(connection, principal, secret)
        return Tenant(**row), key

    async def bootstrap(self, name: str, slots: int, secret: str) -> None:
        """Ensures that the first tenant exists, with so many slots, and that `secret` opens it.

        Idempotent. A revoked key stays revoked; another `secret` is a further key.
        """
        with postgres_answers():
            async with self._connection() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", *_BOOTSTRAP_LOCK)
                tenant = await connection.fetchval(
                    "INSERT INTO tenants (name, slots, platform) VALUES ($1, $2, true)"
                    " ON CONFLICT (name) DO UPDATE SET slots = excluded.slots RETURNING tenant",
                    name,
                    slots,
                )
                if not await connection.fetchval(_IS_KEY, digest(secret)):
                    principal = await _first_admin(connection, tenant)
                    await _insert_key(connection, principal, secret)

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        with postgres_answers():
            async with self._connection() as connection:
                return await connection.fetch(statement, *values, timeout=_TIMEOUT_SECONDS)

    def _connection(self) -> asyncpg.pool.PoolAcquireContext:
        return self._pool.acquire(timeout=_TIMEOUT_SECONDS)


async def _first_admin(connection: _Connection, tenant: UUID) -> Principal:
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM principals WHERE tenant = $1 AND name = 'admin'"
        " AND role = 'admin' AND removed IS NULL ORDER BY created LIMIT 1",
        tenant,
    )
    return Principal(**row) if row else await _insert_admin(connection, tenant)


async def _insert_admin(connection: _Connection, tenant: UUID) -> Principal:
    rows = await connection.fetch(
        f"INSERT INTO principals (tenant, name, role) VALUES ($1, 'admin', 'admin')"
        f" RETURNING {COLUMNS}",
        tenant,
    )
    return Principal(**rows[0])


async def _insert_key(connection: _Connection, principal: Principal, secret: str) -> ApiKey:
    rows = await connection.fetch(
        f"WITH k AS (INSERT INTO api_keys (tenant, principal, name, hash, prefix)"
        f" VALUES ($1, $2, 'admin', $3, $4) RETURNING *)"
        f" SELECT {KEY} FROM k JOIN principals p ON p.id = k.principal",
        principal.tenant,
        principal.id,
        digest(secret),
        prefix(secret),
    )
    return to_key(rows[0])
