"""Ledgers, in Postgres: one SQL function, one round trip each."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from turnpike.agent_runtime.prefix.model import EMPTY, Entry, Head, Ledger, Sent

_READ = "SELECT * FROM read_prefix($1, $2)"
# The session is read before the row is changed: FROM comes before what is selected.
_OPEN = (
    "SELECT r.*, begin_prefix($1, $2, $3, $4) AS begun"
    " FROM (SELECT 1) AS one LEFT JOIN read_prefix($1, $2) AS r ON true"
)
_WRITE = "SELECT write_prefix($1, NULL, $2, $3, $4)"
_ABANDON = "SELECT abandon_prefix($1, $2, $3, $4)"


class PrefixStore:
    """Reads ledgers, and writes those of clients; a thread's is written with its turn."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, tenant: UUID, session: str) -> Ledger:
        """Returns a session as it stands; an empty one when there is none."""
        return _ledger(await self._pool.fetchrow(_READ, tenant, session))

    async def open(self, tenant: UUID, session: str, request: str, messages: int) -> Ledger:
        """Says that a client's request of so many messages is under way.

        Returns the session as it stood before; an empty one when there was none.
        """
        return _ledger(await self._pool.fetchrow(_OPEN, tenant, session, request, messages))

    async def write(self, tenant: UUID, request: str, entry: Entry) -> bool:
        """Commits a client's entry; says whether it went on from the newest revision."""
        outcome = await self._pool.fetchval(
            _WRITE, tenant, request, entry.as_json(), list(entry.elements)
        )
        return outcome == "OK"

    async def abandon(self, tenant: UUID, session: str, request: str, outcome: str) -> None:
        """Says that a client's request will not be committed, and why."""
        await self._pool.execute(_ABANDON, tenant, session, request, outcome)


def _ledger(row: asyncpg.Record | None) -> Ledger:
    if row is None or row["revision"] is None:
        return EMPTY
    values = dict(row)
    values.pop("begun", None)
    elements: Sequence[bytes] = values.pop("elements") or ()
    values["pending"] = values.pop("pending_messages")
    sent = Sent(
        elements=values.pop("sent_elements"),
        bytes=values.pop("sent_bytes"),
        tokens=values.pop("sent_tokens"),
    )
    return Ledger(Head(sent=sent, **values), elements)
