"""The values of accounts as the wire has them."""

from typing import Any
from uuid import UUID

from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.gatekeeper.accounts.model import (
    LIMITS,
    TIERS,
    Budget,
    HeldLimits,
    Limits,
    Overrides,
    Plan,
    RefusedTry,
    Subscription,
    etag_of,
)
from turnpike.gatekeeper.messages import time_of
from turnpike.gatekeeper.model import MissingError

_STATUSES = {
    "active": pb.SUBSCRIPTION_STATUS_ACTIVE,
    "past_due": pb.SUBSCRIPTION_STATUS_PAST_DUE,
    "ended": pb.SUBSCRIPTION_STATUS_ENDED,
}
_STATUS_NAMES = {number: name for name, number in _STATUSES.items()}
_PRICES = ("input", "output")


def known_id(kind: str, id: str) -> UUID:
    """Returns an id, or raises `MissingError` for what is none."""
    try:
        return UUID(id)
    except ValueError:
        raise MissingError(kind, id) from None


def principal_of(id: str) -> UUID | None:
    """Returns a principal's id, None where none is named."""
    return known_id("principal", id) if id else None


def limits_of(message: pb.Limits) -> Limits:
    """Returns the limits in a message."""
    return Limits(**_given(message, LIMITS))


def plan_of(message: pb.Plan) -> Plan:
    """Returns the plan in a message."""
    return Plan(name=message.name, tier=TIERS[message.tier - 1], limits=limits_of(message.limits))


def subscription_of(message: pb.Subscription) -> Subscription:
    """Returns the subscription in a message."""
    return Subscription(
        tenant=known_id("tenant", message.tenant),
        principal=principal_of(message.principal),
        plan=message.plan,
        status=_STATUS_NAMES.get(message.status, "active"),
        starts=time_of(message, "start_time"),
        ends=time_of(message, "end_time"),
    )


def overrides_of(message: pb.Overrides) -> Overrides:
    """Returns the overrides in a message."""
    prices = _given(message.default_prices, _PRICES)
    return Overrides(
        tenant=known_id("tenant", message.tenant),
        limits=limits_of(message.limits),
        default_input_price=prices.get("input"),
        default_output_price=prices.get("output"),
    )


def plan_message(plan: Plan) -> pb.Plan:
    """Returns a plan as the wire has it."""
    return pb.Plan(
        name=plan.name,
        tier=_tier(plan.tier),
        limits=_limits_message(plan.limits),
        etag=etag_of(plan),
        create_time=plan.created,
    )


def subscription_message(subscription: Subscription) -> pb.Subscription:
    """Returns a subscription as the wire has it."""
    principal = subscription.principal
    return pb.Subscription(
        id=str(subscription.id),
        tenant=str(subscription.tenant),
        principal=str(principal) if principal else "",
        plan=subscription.plan,
        status=_STATUSES[subscription.status],
        start_time=subscription.starts,
        end_time=subscription.ends,
        etag=etag_of(subscription),
        create_time=subscription.created,
    )


def overrides_message(overrides: Overrides) -> pb.Overrides:
    """Returns overrides as the wire has them."""
    return pb.Overrides(
        tenant=str(overrides.tenant),
        limits=_limits_message(overrides.limits),
        default_prices=_prices_message(overrides),
        etag=etag_of(overrides),
    )


def held_message(tenant: UUID, principal: UUID | None, held: HeldLimits) -> pb.GetLimitsResponse:
    """Returns the limits that hold for somebody as the wire has them."""
    return pb.GetLimitsResponse(
        tenant=str(tenant),
        principal=str(principal) if principal else "",
        plan=held.plan,
        tier=_tier(held.tier),
        personal=held.personal,
        limits=_limits_message(held.limits),
        default_prices=_prices_message(held),
    )


def budget_message(budget: Budget) -> pb.Budget:
    """Returns a budget as the wire has it."""
    return pb.Budget(
        name=budget.name,
        limit_micro_usd=budget.limit_micro_usd,
        spent_micro_usd=budget.spent_micro_usd,
        reset_time=budget.resets,
        etag=etag_of(budget),
        create_time=budget.created,
    )


def refusal_message(refused: RefusedTry) -> pb.Refusal:
    """Returns a refusal as the wire has it."""
    return pb.Refusal(
        turn=str(refused.turn),
        attempt=refused.attempt,
        segment=refused.segment,
        principal=str(refused.principal),
        agent=refused.agent,
        reason=refused.reason,
        metadata={name: str(value) for name, value in refused.details.items()},
        create_time=refused.created,
    )


def _tier(name: str) -> str:
    return f"TIER_{name.upper()}" if name else "TIER_UNSPECIFIED"


def _limits_message(limits: Limits) -> pb.Limits:
    return pb.Limits(**{name: getattr(limits, name) for name in LIMITS})


def _prices_message(priced: Overrides | HeldLimits) -> pb.DefaultPrices:
    return pb.DefaultPrices(input=priced.default_input_price, output=priced.default_output_price)


def _given(message: Any, names: tuple[str, ...]) -> dict[str, int]:
    return {name: getattr(message, name) for name in names if message.HasField(name)}
