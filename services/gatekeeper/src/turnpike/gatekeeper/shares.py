"""What one replica admits by itself while Redis is away."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from turnpike.gatekeeper.gcra import Backlog
from turnpike.gatekeeper.model import RunningTurn, Segment
from turnpike.gatekeeper.refusals import ConcurrencyLimitedError, RateLimitedError
from turnpike.gatekeeper.slots import SLOT_TTL
from turnpike.gatekeeper.terms import Ask, Rate, Standing

_KEPT = 100_000
_SOON = timedelta(seconds=1)


class LocalShares:
    """A replica's share of each rate and of each tenant's slots: a limit / replicas.

    It counts the turns that it admitted while Redis was away and those that beat their
    hearts here, so that what runs already counts.
    """

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas
        self._backlogs: OrderedDict[tuple[UUID, str, str], Backlog] = OrderedDict()
        self._turns: dict[UUID, dict[UUID, tuple[float, UUID]]] = {}

    def admit(self, segment: Segment, standing: Standing, ask: Ask, *, commit: bool) -> None:
        """Takes what a segment needs from the share, or nothing of it.

        Args:
            segment: What is admitted.
            standing: What Postgres said.
            ask: What its first call may use.
            commit: Take it; else only say whether it could be.

        Raises:
            RateLimitedError: The share of a rate is used up for now.
            ConcurrencyLimitedError: The share of the slots is taken.
        """
        charges = self._charges(segment, standing, ask)
        self._check_slots(segment, standing)
        if commit:
            now = _now_ms()
            for rate, cells in charges:
                backlog = self._backlog(segment.tenant, rate)
                backlog.charge(now, cells, self._share(rate.per_minute))
            self.keep(segment.tenant, segment.turn, segment.principal)

    def keep(self, tenant: UUID, turn: UUID, principal: UUID) -> None:
        """Notes that a turn runs."""
        turns = self._turns.setdefault(tenant, {})
        turns[turn] = (time.monotonic() + SLOT_TTL.total_seconds(), principal)

    def renew(self, turns: Iterable[RunningTurn]) -> None:
        """Notes that turns run still."""
        for turn in turns:
            self.keep(turn.tenant, turn.turn, turn.principal)

    def release(self, tenant: UUID, turn: UUID) -> None:
        """Notes that a turn runs no longer."""
        self._turns.get(tenant, {}).pop(turn, None)

    def _share(self, limit: int) -> int:
        return -(-limit // self._replicas)

    def _charges(self, segment: Segment, standing: Standing, ask: Ask) -> list[tuple[Rate, int]]:
        if segment.number > 1 or segment.turn in self._running(segment.tenant):
            return []
        tokens = ask.input_tokens + ask.most
        charges = [(rate, 1) for rate in (standing.rate,) if rate]
        charges += [(rate, tokens) for rate in (standing.tokens,) if rate]
        waits = [(self._wait(segment.tenant, rate, cells), rate) for rate, cells in charges]
        wait, rate = max(waits, key=lambda each: each[0], default=(0, None))
        if rate and wait > 0:
            raise RateLimitedError(rate, timedelta(milliseconds=wait))
        return charges

    def _wait(self, tenant: UUID, rate: Rate, cells: int) -> int:
        backlog = self._backlog(tenant, rate)
        return backlog.wait(_now_ms(), cells, self._share(rate.per_minute), self._share(rate.burst))

    def _backlog(self, tenant: UUID, rate: Rate) -> Backlog:
        name = (tenant, rate.payer, rate.name)
        backlog = self._backlogs.setdefault(name, Backlog())
        self._backlogs.move_to_end(name)
        if len(self._backlogs) > _KEPT:
            self._backlogs.popitem(last=False)
        return backlog

    def _check_slots(self, segment: Segment, standing: Standing) -> None:
        running = self._running(segment.tenant)
        if segment.turn in running:
            return
        if len(running) >= self._share(standing.slots):
            raise ConcurrencyLimitedError(standing.slots, _SOON)
        mine = sum(principal == segment.principal for _, principal in running.values())
        if standing.principal_slots and mine >= self._share(standing.principal_slots):
            raise ConcurrencyLimitedError(standing.principal_slots, _SOON, "principal")

    def _running(self, tenant: UUID) -> dict[UUID, tuple[float, UUID]]:
        now = time.monotonic()
        running = {id: turn for id, turn in self._turns.get(tenant, {}).items() if turn[0] > now}
        self._turns[tenant] = running
        if not running:
            del self._turns[tenant]
        return running


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
