"""What each gate would decide, and why: asked of the same statement and script."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from turnpike.gatekeeper.admission import ask_for, snapshot_of
from turnpike.gatekeeper.holds import NO_SLOT, OVER_BUDGET, OVER_RATE, STATE_LOST, Decision, Holds
from turnpike.gatekeeper.model import MissingError, Segment
from turnpike.gatekeeper.refusals import BannedError
from turnpike.gatekeeper.scripts import RedisAwayError
from turnpike.gatekeeper.standing import Standings
from turnpike.gatekeeper.terms import Estimate, Price, Standing, Verdict
from turnpike.gatekeeper.verdicts import refusal_of
from turnpike.rpc.errors import ServiceError

_GATES = ("ban", "usage", "rate", "concurrency", "availability")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Every gate's verdict, in the order in which they decide."""

    plan: str
    payer: str
    verdicts: tuple[Verdict, ...]

    @property
    def decision(self) -> str:
        """What Admit would answer."""
        reasons = (verdict.reason for verdict in self.verdicts if verdict.reason)
        return next(reasons, "ADMITTED")


class Explanation:
    """Says what Admit would decide, and consumes nothing."""

    def __init__(self, standings: Standings, holds: Holds) -> None:
        self._standings = standings
        self._holds = holds

    async def explain(
        self,
        segment: Segment,
        estimate: Estimate | None,
        prices: Mapping[str, Price],
        own_keys: frozenset[str],
    ) -> Explained:
        """Returns what each gate says of a segment now.

        Raises:
            MissingError: There is no such tenant.
            UnavailableError: Postgres does not answer.
        """
        try:
            standing = await self._standings.read(segment, look=True)
        except BannedError as banned:
            unasked = [_passed(gate, "not asked: somebody is banned") for gate in _GATES[1:]]
            return Explained(plan="", payer="", verdicts=(_refused("ban", banned), *unasked))
        if standing is None:
            raise MissingError("tenant", segment.tenant)
        ask = ask_for(estimate, snapshot_of(segment, standing, prices, own_keys).tariff)
        try:
            decision = await self._holds.admit(segment, standing, ask, last=True, look=True)
        except RedisAwayError as outage:
            verdicts = _without_redis(standing, outage)
        else:
            verdicts = _verdicts(decision, standing, segment)
        ban = _passed("ban", "nobody behind the turn is banned")
        return Explained(plan=standing.plan, payer=standing.payer, verdicts=(ban, *verdicts))


def _verdicts(decision: Decision, standing: Standing, segment: Segment) -> list[Verdict]:
    slots = str(standing.slots)
    passed = {
        OVER_BUDGET: _passed("usage", f"{len(standing.budgets)} budgets have enough left"),
        OVER_RATE: _passed("rate", "no rate is used up"),
        NO_SLOT: _passed("concurrency", "a slot is free", taken=str(decision.taken), slots=slots),
        STATE_LOST: _passed("availability", "Postgres and Redis answer"),
    }
    refuses = {
        OVER_BUDGET: decision.budget is not None,
        OVER_RATE: decision.rate is not None,
        NO_SLOT: bool(decision.lane),
        STATE_LOST: decision.closed_ms > 0,
    }
    return [
        _refused(verdict.gate, refusal_of(decision, standing, segment, outcome))
        if refuses[outcome]
        else verdict
        for outcome, verdict in passed.items()
    ]


def _without_redis(standing: Standing, outage: RedisAwayError) -> list[Verdict]:
    local = "by this replica's share while Redis is away"
    closed = _refused("availability", outage)
    open = _passed("availability", "Redis is away; there is no budget to keep")
    return [
        _passed("usage", f"{len(standing.budgets)} budgets"),
        _passed("rate", local),
        _passed("concurrency", local),
        closed if standing.budgets else open,
    ]


def _passed(gate: str, detail: str, **metadata: str) -> Verdict:
    return Verdict(gate=gate, reason="", detail=detail, metadata=metadata)


def _refused(gate: str, error: ServiceError) -> Verdict:
    wait = (error.retry_after or timedelta(0)) // timedelta(milliseconds=1)
    return Verdict(
        gate=gate,
        reason=error.reason,
        detail=str(error),
        metadata=error.metadata,
        retry_after_ms=wait,
    )
