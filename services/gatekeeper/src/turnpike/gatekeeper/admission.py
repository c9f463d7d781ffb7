"""Who gets in: the decisions gatekeeper exists to make."""

from collections.abc import Mapping

from turnpike.gatekeeper import metrics
from turnpike.gatekeeper.holds import ADMITTED, STALE, Decision, Holds
from turnpike.gatekeeper.journal import Journal
from turnpike.gatekeeper.model import MissingError, Segment
from turnpike.gatekeeper.opening import Decide, Opening
from turnpike.gatekeeper.refusals import (
    BannedError,
    BudgetExhaustedError,
    ConcurrencyLimitedError,
    RateLimitedError,
)
from turnpike.gatekeeper.scripts import RedisAwayError
from turnpike.gatekeeper.shares import LocalShares
from turnpike.gatekeeper.slots import Slots
from turnpike.gatekeeper.standing import Standings
from turnpike.gatekeeper.terms import (
    Ask,
    Estimate,
    Granted,
    Held,
    Price,
    Receipt,
    Snapshot,
    Standing,
    Tariff,
)
from turnpike.gatekeeper.verdicts import refusal_by_all
from turnpike.rpc.errors import UnavailableError

# How often Postgres is read again because a limit changed, or money was settled that
# may decide; then the worst case decides.
_READS = 6

_REFUSALS = (BannedError, BudgetExhaustedError, RateLimitedError, ConcurrencyLimitedError)


class Admission:
    """Admits segments of turns, and extends what they hold."""

    def __init__(
        self,
        standings: Standings,
        holds: Holds,
        slots: Slots,
        shares: LocalShares,
        journal: Journal,
    ) -> None:
        self._standings = standings
        self._holds = holds
        self._slots = slots
        self._shares = shares
        self._journal = journal

    async def admit(
        self,
        segment: Segment,
        estimate: Estimate | None,
        prices: Mapping[str, Price],
        own_keys: frozenset[str],
        snapshot: Snapshot | None,
    ) -> Granted:
        """Admits a segment of a turn, or says why not.

        Bans come first, then budgets, rates and slots, and at last what is down:
        the order is that of the checks, never that of the answers. A segment that
        was admitted already is admitted again.

        Args:
            segment: What asks.
            estimate: What its first model call may use, if it makes one.
            prices: What models cost, where it is known.
            own_keys: Models that the caller's own provider key pays.
            snapshot: The one that the turn was given, for segments from 2 on.

        Raises:
            BannedError: Somebody behind the turn is banned, or the key is revoked.
            BudgetExhaustedError: A budget above it has not enough left.
            RateLimitedError: A rate is used up for now.
            ConcurrencyLimitedError: Every slot is taken.
            MissingError: There is no such tenant.
            UnavailableError: Postgres or Redis does not answer, or Redis has
                lost its state a moment ago.
        """
        with metrics.ADMISSION_SECONDS.time():
            try:
                granted = await self._admit(segment, estimate, prices, own_keys, snapshot)
            except _REFUSALS as refusal:
                self._journal.refused(segment, refusal.reason, refusal.metadata)
                metrics.count(refusal.reason)
                raise
            except UnavailableError as outage:
                metrics.count(outage.reason)
                raise
        metrics.count("ADMITTED")
        return granted

    async def extend(
        self, snapshot: Snapshot, segment: int, step: int, attempt: int, estimate: Estimate
    ) -> Granted:
        """Renews a segment's slots and tops its hold up by another call.

        Raises:
            BannedError: Somebody behind the turn is banned by now.
            BudgetExhaustedError: A budget above it has not enough left.
            SegmentEndedError: It was released already.
            UnavailableError: Postgres does not answer; or Redis, and there are
                budgets; or Redis has lost its state a moment ago.
        """
        asking = segment_of(snapshot, segment, attempt)
        ask = ask_for(estimate, snapshot.tariff)

        async def run(standing: Standing, last: bool) -> Decision:
            return await self._holds.extend(asking, standing, ask, step, last=last)

        try:
            _, decision = await self._decide(asking, snapshot, run, Opening())
        except RedisAwayError:
            standing = await self._read(asking, snapshot)
            if standing.budgets:
                raise
            # Nothing is held: the turn goes on, and its slot is counted here.
            self._shares.keep(snapshot.tenant, snapshot.turn, snapshot.principal)
            decision = _unheld(ask)
        return _granted(snapshot, decision, ask, estimate)

    async def _admit(
        self,
        segment: Segment,
        estimate: Estimate | None,
        prices: Mapping[str, Price],
        own_keys: frozenset[str],
        snapshot: Snapshot | None,
    ) -> Granted:
        def ask_at(standing: Standing) -> tuple[Snapshot, Ask]:
            kept = snapshot or snapshot_of(segment, standing, prices, own_keys)
            return kept, ask_for(estimate, kept.tariff)

        async def run(standing: Standing, last: bool) -> Decision:
            return await self._holds.admit(segment, standing, ask_at(standing)[1], last=last)

        opening = Opening()
        standing = await self._read(segment, snapshot)
        try:
            standing, decision = await self._decide(segment, snapshot, run, opening, standing)
        except RedisAwayError as outage:
            ask = ask_at(standing)[1]
            decision = self._admit_locally(segment, standing, ask, outage)
        kept, ask = ask_at(standing)
        if decision.taken:
            self._slots.see(segment.tenant, decision.taken)
        return _granted(kept, decision, ask, estimate)

    async def _decide(
        self,
        segment: Segment,
        snapshot: Snapshot | None,
        run: Decide,
        opening: Opening,
        standing: Standing | None = None,
    ) -> tuple[Standing, Decision]:
        for reads_left in reversed(range(_READS)):
            standing = standing or await self._read(segment, snapshot)
            decision = await opening.run(run, standing, reads_left == 0)
            if decision.outcome != STALE:
                if decision.outcome != ADMITTED:
                    raise refusal_by_all(decision, standing, segment)
                return standing, decision
            standing = None
        raise UnavailableError("the account changes too fast; try again")

    async def _read(self, segment: Segment, snapshot: Snapshot | None) -> Standing:
        standing = await self._standings.read(segment, snapshot)
        if standing is None:
            raise MissingError("tenant", segment.tenant)
        return standing

    def _admit_locally(
        self, segment: Segment, standing: Standing, ask: Ask, outage: RedisAwayError
    ) -> Decision:
        """Decides while Redis is away: budgets are closed, the rest by a local share."""
        for budget in standing.budgets:
            left = budget.limit - budget.spent
            if left < max(ask.floor, ask.input_cost):
                raise BudgetExhaustedError(budget, max(0, left))
        closed = bool(standing.budgets)
        self._shares.admit(segment, standing, ask, commit=not closed)
        if closed:
            raise outage
        return _unheld(ask)


def segment_of(snapshot: Snapshot, number: int, attempt: int) -> Segment:
    """Returns a segment of the turn that a snapshot is of."""
    return Segment(
        turn=snapshot.turn,
        tenant=snapshot.tenant,
        principal=snapshot.principal,
        key=snapshot.key,
        agent_owner=snapshot.agent_owner,
        attempt=attempt,
        number=number,
        caller=snapshot.caller,
        agent=snapshot.agent,
        rate_class=snapshot.rate_class,
    )


def snapshot_of(
    segment: Segment, standing: Standing, prices: Mapping[str, Price], own_keys: frozenset[str]
) -> Snapshot:
    """Returns what a turn's first admission fixes."""
    return Snapshot(
        turn=segment.turn,
        tenant=segment.tenant,
        principal=segment.principal,
        caller=segment.caller,
        key=segment.key,
        agent_owner=segment.agent_owner,
        agent=segment.agent,
        rate_class=segment.rate_class,
        payer=standing.payer,
        plan=standing.plan,
        tariff=Tariff(prices=prices, own_keys=own_keys, default=standing.default_price),
    )


def ask_for(estimate: Estimate | None, tariff: Tariff) -> Ask:
    """Returns what a call may cost."""
    if estimate is None:
        return Ask(price=tariff.default, estimate=None)
    own_key = estimate.model in tariff.own_keys
    return Ask(price=tariff.of(estimate.model), estimate=estimate, own_key=own_key)


def _unheld(ask: Ask) -> Decision:
    held = Held(output=ask.most, clamped=False, hold=0, parts={})
    return Decision(outcome=ADMITTED, held=held)


def _granted(
    snapshot: Snapshot, decision: Decision, ask: Ask, estimate: Estimate | None
) -> Granted:
    held = decision.held
    assert held is not None  # noqa: S101 -- whoever is admitted was granted something
    receipt = None
    if held.parts:
        receipt = Receipt(
            turn=snapshot.turn,
            tenant=snapshot.tenant,
            principal=snapshot.principal,
            key=snapshot.key,
            agent=snapshot.agent,
            parts=held.parts,
        )
    return Granted(
        snapshot=snapshot,
        held=held,
        ask=ask,
        default_price=estimate is not None and snapshot.tariff.is_default(estimate.model),
        receipt=receipt,
    )
