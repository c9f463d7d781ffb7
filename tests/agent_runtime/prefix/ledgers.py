"""Ledgers as Postgres has them, for a test to look at and to tamper with."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.prefix.elements import chained


@dataclass(frozen=True)
class Ledgers:
    """Rows of sessions, by their names."""

    connection: asyncpg.Connection

    async def row(self, session: str) -> asyncpg.Record:
        """Returns where a session stands."""
        row = await self.connection.fetchrow(
            "SELECT * FROM prefix_sessions WHERE session = $1", session
        )
        assert row is not None
        return row

    async def sessions_of(self, tenant: str) -> list[str]:
        """Returns the names of a tenant's sessions."""
        rows = await self.connection.fetch(
            "SELECT session FROM prefix_sessions WHERE tenant = $1 ORDER BY session", UUID(tenant)
        )
        return [row["session"] for row in rows]

    async def elements(self, session: str) -> list[bytes]:
        """Returns a session's elements; they are what its hash says."""
        rows = await self.connection.fetch(
            "SELECT elements FROM prefix_elements WHERE session = $1 ORDER BY first", session
        )
        found = [element for row in rows for element in row["elements"]]
        if found:
            row = await self.row(session)
            assert (len(found), chained(b"", found)) == (row["count"], row["chain"])
        return found

    async def boundaries(self, session: str) -> list[dict[str, object]]:
        """Returns the last commits of a session."""
        return orjson.loads((await self.row(session))["boundaries"])

    async def forget(self, session: str) -> None:
        """Evicts a session's elements."""
        await self.connection.execute("DELETE FROM prefix_elements WHERE session = $1", session)

    async def tamper(self, session: str, element: bytes) -> None:
        """Replaces a session's second message, which its hash does not say."""
        changed = await self.connection.execute(
            "UPDATE prefix_elements SET elements[3] = $2 WHERE session = $1 AND first = 0",
            session,
            element,
        )
        assert changed == "UPDATE 1"

    async def age(self, session: str, hours: int) -> None:
        """Makes a session's last request so old."""
        await self.connection.execute(
            "UPDATE prefix_sessions SET touched = touched - make_interval(hours => $2)"
            " WHERE session = $1",
            session,
            hours,
        )


def begins_with(later: bytes, earlier: bytes) -> bool:
    """Says whether a request begins with another's bytes, up to the end of its messages."""
    return later.startswith(earlier[: earlier.rindex(b"]")])


def is_one_prefix(sent: Sequence[bytes]) -> bool:
    """Says whether each request begins with the one before it."""
    return all(begins_with(later, earlier) for earlier, later in pairwise(sent))
