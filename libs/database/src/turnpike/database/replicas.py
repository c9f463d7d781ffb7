"""Which processes of a service live.

A process holds one row, its *incarnation*, and raises the row's beat twice a
second. An observer declares it dead when the beat has not moved for four
seconds on the observer's own monotonic clock: no two clocks are ever compared.
Declaring is a compare-and-set on the beat, and makes the next renewal of a
process that was only slow fail.
"""

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

RENEW_SECONDS = 0.5
"""How often a lease is to be renewed, and the others to be looked at.

Twice a second: a death is seen at most so much later than it could be.
"""

DEAD_AFTER_SECONDS = 4.0
"""How long a beat may stand still."""

_FRESH_SECONDS = 3.0
_BLIND_SECONDS = 2.5
# Well within the five seconds after which whoever watches a call is promised news.
_PATIENCE_SECONDS = 3.0

_REGISTER = text("INSERT INTO replicas (id, name, address) VALUES (:id, :name, :address)")
# A restarted process has its predecessor's name: nobody waits for that one.
_BURY_NAMESAKES = text(
    "UPDATE replicas SET dead = true WHERE name = :name AND NOT dead RETURNING id"
)
_RENEW = text("UPDATE replicas SET beat = beat + 1 WHERE id = :id AND NOT dead RETURNING beat")
_OTHERS = text("SELECT id, name, address, beat FROM replicas WHERE NOT dead AND id <> :id")
_BURY = text(
    "UPDATE replicas SET dead = true WHERE id = :id AND beat = :beat AND NOT dead RETURNING id"
)
_FORGET = text(
    "DELETE FROM replicas WHERE dead AND started < statement_timestamp() - interval '1 day'"
)
_IS_DEAD = text("SELECT dead FROM replicas WHERE id = :id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another living process, as last seen."""

    id: UUID
    name: str
    address: str
    beat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What a renewal found."""

    alive: bool
    """Whether this process may go on. If not, what it owns is somebody else's."""

    silent: list[Peer]
    """Peers whose beat has stood still for too long: bury them."""


def create_table(op: Any) -> None:
    """Creates the table `replicas` in a migration; only the system role may use it."""
    # It brings alembic along, 11 MB that no serving process needs.
    from turnpike.database.migration import grant_system

    op.execute(
        "CREATE TABLE replicas ("
        " id uuid PRIMARY KEY, name text NOT NULL, address text NOT NULL,"
        " beat bigint NOT NULL DEFAULT 0, dead boolean NOT NULL DEFAULT false,"
        " started timestamptz NOT NULL DEFAULT statement_timestamp())"
    )
    op.execute("CREATE INDEX replicas_alive ON replicas (name) WHERE NOT dead")
    grant_system(op, "replicas")


class Lease:
    """This process's incarnation.

    Every method that asks Postgres takes a transaction of the service's system role.
    What `register` and `renew` found holds once that is committed: then `confirm`.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.id = uuid4()
        self._asked_at = -math.inf
        self._renewed_at = -math.inf
        self._confirmed = asyncio.Event()
        self._seen: dict[UUID, tuple[int, float]] = {}
        self._looked_at = 0.0

    async def register(self, connection: AsyncConnection) -> list[UUID]:
        """Enters a new incarnation, and returns those that it replaces.

        In the same transaction, make what they owned due.
        """
        self._renewed_at = -math.inf
        asked_at = time.monotonic()
        self.id = uuid4()
        buried = (await connection.scalars(_BURY_NAMESAKES, {"name": self.name})).all()
        await connection.execute(
            _REGISTER, {"id": self.id, "name": self.name, "address": self.address}
        )
        await connection.execute(_FORGET)
        self._asked_at = asked_at
        return list(buried)

    async def renew(self, connection: AsyncConnection) -> Renewal:
        """Raises the beat, and looks at everybody else's."""
        asked_at = time.monotonic()
        alive = await connection.scalar(_RENEW, {"id": self.id}) is not None
        peers = [
            Peer(id=row.id, name=row.name, address=row.address, beat=row.beat)
            for row in await connection.execute(_OTHERS, {"id": self.id})
        ]
        self._asked_at = asked_at if alive else -math.inf
        return Renewal(alive=alive, silent=self._silent(peers))

    def confirm(self) -> None:
        """Counts the last registration or renewal, whose transaction is committed.

        Not sooner: until then the others see no such incarnation, and would settle
        what it writes as a dead one's.
        """
        self._renewed_at = self._asked_at
        self._confirmed.set()
        self._confirmed = asyncio.Event()

    async def bury(self, connection: AsyncConnection, peer: Peer) -> bool:
        """Declares a peer dead unless its beat moved or another was first.

        In the same transaction, make what it owned due.
        """
        return await connection.scalar(_BURY, {"id": peer.id, "beat": peer.beat}) is not None

    def is_fresh(self) -> bool:
        """Says whether nobody can have declared this process dead yet.

        A process that was stopped and goes on learns it here before it speaks.
        """
        return time.monotonic() - self._renewed_at < _FRESH_SECONDS

    async def freshened(self) -> bool:
        """Says whether the lease is fresh, waiting up to three seconds until it is.

        A process that was stopped and goes on renews it at once.
        """
        if self.is_fresh():
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not self.is_fresh():
                    await self._confirmed.wait()
        return self.is_fresh()

    def _silent(self, peers: list[Peer]) -> list[Peer]:
        now = time.monotonic()
        if now - self._looked_at > _BLIND_SECONDS:
            # Postgres was away, or this process was stopped: what was seen
            # before proves nothing, since nobody could renew or be looked at.
            self._seen = {}
        self._looked_at = now
        seen = {}
        for peer in peers:
            beat, since = self._seen.get(peer.id, (peer.beat, now))
            seen[peer.id] = (peer.beat, now if beat != peer.beat else since)
        self._seen = seen
        return [peer for peer in peers if now - seen[peer.id][1] >= DEAD_AFTER_SECONDS]


async def is_dead(connection: AsyncConnection, incarnation: UUID) -> bool:
    """Says whether an incarnation was declared dead, or was never known."""
    return await connection.scalar(_IS_DEAD, {"id": incarnation}) is not False
