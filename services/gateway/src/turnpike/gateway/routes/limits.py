"""Shapes of limits, which plans and overrides share."""

from typing import Annotated, Any, Literal

from pydantic import Field

from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.gateway.routes.shapes import Reply, Request

Tier = Literal["FREE", "PRO", "TEAM", "ENTERPRISE"]
TIERS: dict[int, Any] = {
    value: name.removeprefix("TIER_") for name, value in pb.Tier.items() if value
}

Rate = Annotated[int, Field(ge=1, le=1_000_000_000)]
Slots = Annotated[int, Field(ge=1, le=100_000)]
MicroDollars = Annotated[int, Field(ge=0, le=10**15)]
DefaultPrice = Annotated[int, Field(ge=0, le=900_000_000)]


class Limits(Request):
    """Bounds of use. Left out is no limit in a plan, and the plan's for a tenant."""

    sync_per_minute: Rate | None = None
    sync_burst: Rate | None = None
    async_per_minute: Rate | None = None
    async_burst: Rate | None = None
    api_per_minute: Rate | None = None
    api_burst: Rate | None = None
    tokens_per_minute: Rate | None = None
    tokens_burst: Rate | None = None
    slots: Slots | None = None
    monthly_limit_micro_usd: MicroDollars | None = None

    def message(self) -> pb.Limits:
        """Returns them as the services take them."""
        return pb.Limits(**self.model_dump(exclude_none=True))


class DefaultPrices(Request):
    """What a model without a price costs: millionths of a US dollar for a million tokens."""

    input: DefaultPrice | None = None
    output: DefaultPrice | None = None

    def message(self) -> pb.DefaultPrices:
        """Returns them as the services take them."""
        return pb.DefaultPrices(**self.model_dump(exclude_none=True))


class LimitsReply(Reply):
    """Bounds of use; null is no limit in a plan, and the plan's for a tenant."""

    sync_per_minute: int | None
    sync_burst: int | None
    async_per_minute: int | None
    async_burst: int | None
    api_per_minute: int | None
    api_burst: int | None
    tokens_per_minute: int | None
    tokens_burst: int | None
    slots: int | None
    monthly_limit_micro_usd: int | None


class DefaultPricesReply(Reply):
    """What a model without a price costs; null takes gatekeeper's default."""

    input: int | None
    output: int | None


def limits_reply(limits: pb.Limits) -> LimitsReply:
    """Returns limits as callers get them."""
    return LimitsReply(**_given(limits, LimitsReply))


def prices_reply(prices: pb.DefaultPrices) -> DefaultPricesReply:
    """Returns default prices as callers get them."""
    return DefaultPricesReply(**_given(prices, DefaultPricesReply))


def _given(message: Any, shape: type[Reply]) -> dict[str, Any]:
    return {
        name: getattr(message, name) if message.HasField(name) else None
        for name in shape.model_fields
    }
