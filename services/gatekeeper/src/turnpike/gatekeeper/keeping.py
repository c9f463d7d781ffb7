"""What goes on with turns that were admitted: heartbeats, settlements, releases."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from turnpike.gatekeeper import metrics
from turnpike.gatekeeper.holds import Holds
from turnpike.gatekeeper.ledger import Ledger, entry_of
from turnpike.gatekeeper.model import RunningTurn
from turnpike.gatekeeper.scripts import RedisAwayError
from turnpike.gatekeeper.shares import LocalShares
from turnpike.gatekeeper.slots import Slots
from turnpike.gatekeeper.system import System
from turnpike.gatekeeper.terms import Receipt, Snapshot, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a heartbeat is answered."""

    revoked: Sequence[tuple[UUID, str]]
    """Turns that must stop, and why."""

    missing: Sequence[UUID]
    """Turns whose holds are not known."""


class Keeping:
    """Keeps the slots and holds of turns that run, and settles what they used."""

    def __init__(
        self,
        system: System,
        ledger: Ledger,
        slots: Slots,
        holds: Holds,
        shares: LocalShares,
    ) -> None:
        self._system = system
        self._ledger = ledger
        self._slots = slots
        self._holds = holds
        self._shares = shares

    async def settle(self, snapshot: Snapshot, segment: int, usage: Sequence[Usage]) -> int:
        """Writes what a segment used into the ledger, then lets its hold fall by it.

        Idempotent by each call's (step, call, attempt). Returns what the calls cost, in
        micro-dollars. A gatekeeper that dies between the two leaves the hold in full;
        the caller settles again, which lets it fall.

        Raises:
            MissingError: There is no such tenant.
            UnavailableError: Postgres does not answer, and nothing was written; or
                Redis does not, and the hold stands until the call is made again.
        """
        entries = [entry_of(snapshot.turn, used, snapshot.tariff) for used in usage]
        settlement = await self._ledger.settle(snapshot, segment, entries)
        metrics.SETTLED.inc(settlement.cost)
        calls = [
            (used.step, used.attempt, used.input + used.output) for used in usage if used.call == 0
        ]
        payer = "tenant" if snapshot.payer == "tenant" else str(snapshot.principal)
        account = (settlement.version, settlement.changed, settlement.settled)
        await self._holds.settle(snapshot.tenant, snapshot.turn, segment, account, payer, calls)
        return settlement.cost

    async def release(self, tenant: UUID, turn: UUID, segment: int, *, settled: bool) -> None:
        """Gives the slots of a segment back, and what it holds if all is settled.

        Raises:
            UnavailableError: Redis does not answer.
        """
        self._shares.release(tenant, turn)
        await self._slots.release(tenant, turn, segment, settled=settled)

    async def renew(self, turns: Sequence[RunningTurn], receipts: Sequence[Receipt]) -> Beat:
        """Renews the slots of turns that run; says which must stop, and why.

        Slots are renewed also while Postgres does not answer, and those banned are
        found also while Redis does not: the turns run.

        Raises:
            UnavailableError: Postgres does not answer, or Redis does not and nobody
                is banned.
        """
        if not turns:
            return Beat(revoked=(), missing=())
        self._shares.renew(turns)
        ended, missing = await asyncio.gather(
            self._system.find_ended(turns), self._renew(turns, receipts), return_exceptions=True
        )
        if isinstance(ended, BaseException):
            raise ended
        if isinstance(missing, RedisAwayError) and ended:
            missing = []
        if isinstance(missing, BaseException):
            raise missing
        revoked = [(turn, _REASONS.get(cause, "BANNED")) for turn, cause in ended.items()]
        return Beat(revoked=revoked, missing=missing)

    async def _renew(self, turns: Sequence[RunningTurn], receipts: Sequence[Receipt]) -> list[UUID]:
        by_tenant: defaultdict[UUID, list[RunningTurn]] = defaultdict(list)
        for turn in turns:
            by_tenant[turn.tenant].append(turn)
        await self._holds.register(receipts)
        return await self._slots.renew(by_tenant)


_REASONS = {"key": "KEY_REVOKED"}
