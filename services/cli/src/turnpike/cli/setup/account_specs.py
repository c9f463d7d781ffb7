"""What documents may say of plans, who is on which, tenants' own limits, and budgets."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from turnpike.cli.setup.names import Name

Rate = Annotated[int, Field(ge=1, le=1_000_000_000)]
MicroDollars = Annotated[int, Field(ge=0, le=10**15)]

DefaultPrice = Annotated[int, Field(ge=0, le=900_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PlanLimits(_Strict):
    """Bounds of use; what is left out has none."""

    sync_per_minute: Rate | None = None
    sync_burst: Rate | None = None
    async_per_minute: Rate | None = None
    async_burst: Rate | None = None
    api_per_minute: Rate | None = None
    api_burst: Rate | None = None
    tokens_per_minute: Rate | None = None
    tokens_burst: Rate | None = None
    slots: Annotated[int, Field(ge=1, le=100_000)] | None = None
    monthly_limit_micro_usd: MicroDollars | None = None


class PlanSpec(_Strict):
    """What is offered to tenants and people."""

    tier: Literal["FREE", "PRO", "TEAM", "ENTERPRISE"]
    limits: PlanLimits = PlanLimits()


class SubscriptionSpec(_Strict):
    """Puts a tenant, or one person in it, on a plan."""

    tenant: str = Field(min_length=1, max_length=200, description="Its name or id.")
    principal: str = Field(default="", max_length=64, description="A person's id.")
    plan: Name
    status: Literal["ACTIVE", "PAST_DUE"] = "ACTIVE"
    starts: str | None = None
    ends: str | None = None


class DefaultPrices(_Strict):
    """What a model without a price costs: millionths of a US dollar for a million tokens."""

    input: DefaultPrice | None = None
    output: DefaultPrice | None = None


class TenantLimitsSpec(_Strict):
    """What a tenant has instead of its plan's; what is left out is the plan's."""

    tenant: str = Field(min_length=1, max_length=200, description="Its name or id.")
    limits: PlanLimits = PlanLimits()
    default_prices: DefaultPrices = DefaultPrices()


class BudgetSpec(_Strict):
    """What may be spent by whom the document's name says, in each period of UTC."""

    limit_micro_usd: MicroDollars


AccountSpec = PlanSpec | SubscriptionSpec | TenantLimitsSpec | BudgetSpec
