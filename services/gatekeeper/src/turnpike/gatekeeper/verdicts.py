"""What a decision is to whom it refuses."""

from collections.abc import Callable
from datetime import timedelta

from turnpike.gatekeeper.holds import ENDED, NO_SLOT, OVER_BUDGET, OVER_RATE, Decision
from turnpike.gatekeeper.model import Segment
from turnpike.gatekeeper.refusals import (
    BudgetExhaustedError,
    ConcurrencyLimitedError,
    RateLimitedError,
    SegmentEndedError,
)
from turnpike.gatekeeper.terms import Standing
from turnpike.rpc.errors import ServiceError, UnavailableError

# How long a refused caller should wait at most: a turn may end at any moment.
_SLOT_WAIT = timedelta(seconds=1)


def refusal_by_all(decision: Decision, standing: Standing, segment: Segment) -> ServiceError:
    """Returns the error that a decision is, with the quotas of all gates that refuse."""
    refusal = refusal_of(decision, standing, segment)
    refuses = {
        OVER_BUDGET: decision.budget is not None,
        OVER_RATE: decision.rate is not None,
        NO_SLOT: bool(decision.lane),
    }
    if refusal.quota:
        each = (refusal_of(decision, standing, segment, gate) for gate in refuses if refuses[gate])
        refusal.quota = tuple(quota for error in each for quota in error.quota)
    return refusal


def refusal_of(
    decision: Decision, standing: Standing, segment: Segment, outcome: int | None = None
) -> ServiceError:
    """Returns the error that a decision is, or what one gate of it says."""
    refusals: dict[int, Callable[[], ServiceError]] = {
        OVER_BUDGET: lambda: _over_budget(decision),
        OVER_RATE: lambda: _over_rate(decision),
        NO_SLOT: lambda: _no_slot(decision, standing),
        ENDED: lambda: SegmentEndedError(segment.turn),
    }
    outcome = decision.outcome if outcome is None else outcome
    return refusals.get(outcome, lambda: _state_lost(decision))()


def _over_budget(decision: Decision) -> ServiceError:
    assert decision.budget is not None  # noqa: S101
    return BudgetExhaustedError(decision.budget, decision.left)


def _over_rate(decision: Decision) -> ServiceError:
    assert decision.rate is not None  # noqa: S101
    return RateLimitedError(decision.rate, timedelta(milliseconds=decision.rate_wait_ms))


def _no_slot(decision: Decision, standing: Standing) -> ServiceError:
    wait = min(timedelta(milliseconds=decision.lane_wait_ms), _SLOT_WAIT)
    slots = standing.slots if decision.lane == "tenant" else standing.principal_slots or 0
    return ConcurrencyLimitedError(slots, wait, decision.lane)


def _state_lost(decision: Decision) -> ServiceError:
    return UnavailableError(
        "running turns are being counted anew; try again",
        retry_after=timedelta(milliseconds=decision.closed_ms),
    )
