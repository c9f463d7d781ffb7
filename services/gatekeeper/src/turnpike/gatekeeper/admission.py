"""Who gets in: the decisions gatekeeper exists to make."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from turnpike.gatekeeper import metrics
from turnpike.gatekeeper.journal import Journal
from turnpike.gatekeeper.model import (
    BannedError,
    ConcurrencyLimitedError,
    Ended,
    MissingError,
    RunningTurn,
    Segment,
)
from turnpike.gatekeeper.slots import Slots
from turnpike.gatekeeper.standing import read_standing
from turnpike.gatekeeper.system import System
from turnpike.rpc.errors import UnavailableError


class Admission:
    """Admits segments of turns and keeps the slots of those that run."""

    def __init__(self, pool: asyncpg.Pool, system: System, slots: Slots, journal: Journal) -> None:
        self._pool = pool
        self._system = system
        self._slots = slots
        self._journal = journal

    async def admit(self, segment: Segment) -> None:
        """Admits a segment of a turn, or says why not.

        A ban is named before a want of slots, and both before a dependency
        that is down, since each is asked only when the one before has passed.
        A segment that was admitted already is admitted again.

        Raises:
            BannedError: The principal or the agent's owner is banned, or the
                key is revoked.
            ConcurrencyLimitedError: Every slot of the tenant is taken.
            MissingError: There is no such tenant.
            UnavailableError: Postgres or Redis does not answer, or Redis has
                lost its state a moment ago.
        """
        with metrics.ADMISSION_SECONDS.time():
            try:
                await self._admit(segment)
            except (BannedError, ConcurrencyLimitedError) as refusal:
                self._journal.refused(segment, refusal.reason)
                metrics.count(refusal.reason)
                raise
            except UnavailableError as outage:
                metrics.count(outage.reason)
                raise
        metrics.count("ADMITTED")

    async def _admit(self, segment: Segment) -> None:
        standing = await read_standing(self._pool, segment)
        if standing is None:
            raise MissingError("tenant", str(segment.tenant))
        if standing.cause:
            raise BannedError(standing.cause, standing.until)
        await self._slots.acquire(
            segment.tenant, segment.turn, slots=standing.slots, idle=standing.idle
        )

    async def release(self, tenant: UUID, turn: UUID) -> None:
        """Gives the slot of a turn back. Does nothing if it is gone already."""
        await self._slots.release(tenant, turn)

    async def renew(self, turns: Sequence[RunningTurn]) -> list[tuple[UUID, str]]:
        """Renews the slots of turns that run; returns which must stop, and why.

        Slots are renewed also while Postgres does not answer: the turns run.

        Raises:
            UnavailableError: Postgres or Redis does not answer.
        """
        by_tenant: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for turn in turns:
            by_tenant[turn.tenant].append(turn.turn)
        if not turns:
            return []
        ended, renewed = await asyncio.gather(
            self._system.find_ended(turns), self._slots.renew(by_tenant), return_exceptions=True
        )
        if isinstance(renewed, BaseException):
            raise renewed
        if isinstance(ended, BaseException):
            raise ended
        return [(turn.turn, why) for turn in turns if (why := _why_ended(turn, ended))]


def _why_ended(turn: RunningTurn, ended: Ended) -> str | None:
    if (turn.tenant, turn.principal) in ended.banned:
        return "BANNED"
    if turn.agent_owner and (turn.tenant, turn.agent_owner) in ended.banned:
        return "BANNED"
    if turn.key and (turn.tenant, turn.key) in ended.keys:
        return "KEY_REVOKED"
    return None
