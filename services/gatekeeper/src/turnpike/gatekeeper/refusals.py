"""Why an admission is refused, as the wire tells it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc

from turnpike.gatekeeper.terms import Budget, Rate
from turnpike.rpc.errors import QuotaViolation, ServiceError


def _told(time: datetime | None) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else ""


def _until(time: datetime | None) -> timedelta | None:
    return max(time - datetime.now(UTC), timedelta(seconds=1)) if time else None


class BannedError(ServiceError):
    """Somebody behind the turn is banned, or the key is banned or revoked."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "BANNED"

    def __init__(self, cause: str, until: datetime | None) -> None:
        message = "the API key is banned or revoked" if cause == "key" else f"the {cause} is banned"
        super().__init__(message, cause=cause, until=_told(until))


class BudgetExhaustedError(ServiceError):
    """A budget above the turn has not enough left."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "BUDGET_EXHAUSTED"

    def __init__(self, budget: Budget, left: int) -> None:
        subject = f"{budget.scope}:{budget.subject}" if budget.subject else budget.scope
        message = f"the {budget.period}'s budget of the {budget.scope} has not enough left"
        if budget.period == "total":
            message = f"the budget of the {budget.scope} has not enough left"
        super().__init__(
            message,
            retry_after=_until(budget.resets),
            quota=[QuotaViolation(subject, message, "micro_usd", budget.period, budget.limit)],
            budget=budget.scope,
            period=budget.period,
            limit_micro_usd=str(budget.limit),
            left_micro_usd=str(left),
            resets=_told(budget.resets),
        )


class RateLimitedError(ServiceError):
    """A rate of the plan is used up for now."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"

    def __init__(self, rate: Rate, retry_after: timedelta) -> None:
        scope = "tenant" if rate.payer == "tenant" else "principal"
        unit = "tokens" if rate.name == "tokens" else f"{rate.name} turns"
        message = f"more than {rate.per_minute} {unit} a minute"
        subject = scope if scope == "tenant" else f"principal:{rate.payer}"
        super().__init__(
            message,
            retry_after=retry_after,
            quota=[QuotaViolation(subject, message, rate.name, "minute", rate.per_minute)],
            limit=rate.name,
            per_minute=str(rate.per_minute),
            burst=str(rate.burst),
            scope=scope,
        )


class ConcurrencyLimitedError(ServiceError):
    """Every slot of the tenant, or of the principal, is taken."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "CONCURRENCY_LIMITED"

    def __init__(self, slots: int, retry_after: timedelta, scope: str = "tenant") -> None:
        message = f"{slots} turns run already, as many as the {scope} may have at once"
        super().__init__(
            message,
            retry_after=retry_after,
            quota=[QuotaViolation(scope, message, "slots", "", slots)],
            slots=str(slots),
            scope=scope,
        )


class SnapshotInvalidError(ServiceError):
    """The snapshot was not signed here, was changed, or is another turn's."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SNAPSHOT_INVALID"

    def __init__(self, turn: UUID | str) -> None:
        super().__init__("the snapshot is not the one that this turn was given", turn=str(turn))


class SegmentEndedError(ServiceError):
    """The segment was released already."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SEGMENT_ENDED"

    def __init__(self, turn: UUID) -> None:
        super().__init__("the segment has ended; admit the next one", turn=str(turn))
