"""Those who call about accounts, and what they are asked about."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper, Tenant
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as usage_pb
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import AccountServiceStub
from turnpike.api.gatekeeper.v1.usage_service_pb2_grpc import UsageServiceStub
from turnpike.rpc.identity import bearer

PLATFORM = bearer(FIRST_KEY)

Metadata = tuple[tuple[str, str], ...]

_ENTRY = """
INSERT INTO ledger (
  tenant, id, turn, segment, step, call, attempt, kind, principal, agent, model, input_tokens,
  cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_micro_usd,
  default_price, own_key, estimated, payer, plan, created)
VALUES ($1, $2, $3, 1, 1, 0, 1, 'chat', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
  'tenant', '', $16)
"""


@dataclass(frozen=True)
class Accounts:
    """What a gatekeeper says of accounts and usage."""

    gatekeeper: Gatekeeper
    stub: AccountServiceStub = field(init=False)
    usage: UsageServiceStub = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stub", AccountServiceStub(self.gatekeeper.channel))
        object.__setattr__(self, "usage", UsageServiceStub(self.gatekeeper.channel))

    async def plan(self, tier: str = "pro", name: str = "", **limits: int) -> pb.Plan:
        """Makes a plan so; a new one unless it is named."""
        plan = pb.Plan(
            name=name or f"plan-{uuid4()}",
            tier=f"TIER_{tier.upper()}",
            limits=pb.Limits(**limits),  # pyright: ignore[reportArgumentType]
        )
        request = pb.UpdatePlanRequest(plan=plan, allow_missing=True)
        return (await self.stub.UpdatePlan(request, metadata=PLATFORM)).plan

    async def subscribe(self, tenant: Tenant, plan: str, **others: Any) -> pb.Subscription:
        """Puts a tenant, or a person in it, on a plan."""
        subscription = pb.Subscription(tenant=tenant.id, plan=plan, **others)
        request = pb.UpdateSubscriptionRequest(subscription=subscription, allow_missing=True)
        return (await self.stub.UpdateSubscription(request, metadata=PLATFORM)).subscription

    async def budget(self, tenant: Tenant, name: str, limit: int) -> pb.Budget:
        """Gives a tenant's somebody a budget."""
        request = pb.UpdateBudgetRequest(
            budget=pb.Budget(name=name, limit_micro_usd=limit), allow_missing=True
        )
        return (await self.stub.UpdateBudget(request, metadata=tenant.as_admin)).budget

    async def limits(self, who: Metadata, **asked: str) -> pb.GetLimitsResponse:
        return await self.stub.GetLimits(pb.GetLimitsRequest(**asked), metadata=who)

    async def report(
        self, who: Metadata, *by: str, page: dict[str, Any] | None = None, **asked: Any
    ) -> usage_pb.ReportUsageResponse:
        request = usage_pb.ReportUsageRequest(
            filter=usage_pb.UsageFilter(**asked),
            by=[f"USAGE_DIMENSION_{name.upper()}" for name in by],
            **(page or {}),
        )
        return await self.usage.ReportUsage(request, metadata=who)


async def write_entry(
    connection: asyncpg.Connection,
    tenant: Tenant,
    *,
    at: datetime | None = None,
    principal: str = "",
    agent: str = "helper",
    model: str = "small",
    tokens: tuple[int, int, int, int, int] = (100, 20, 10, 50, 5),
    cost: int = 7,
    flags: tuple[bool, bool, bool] = (False, False, False),
) -> UUID:
    """Writes a line into a tenant's ledger, whenever it is said to have been; returns its turn.

    Args:
        connection: A superuser's.
        tenant: Whose ledger.
        at: When; now unless given.
        principal: For whom; the tenant's admin unless given.
        agent: By which agent.
        model: Of which model.
        tokens: Input, cached, written to the cache, output, reasoning.
        cost: In micro-dollars.
        flags: Default-priced, own key, estimated.
    """
    turn = uuid4()
    await connection.execute(
        _ENTRY,
        UUID(tenant.id),
        uuid4(),
        turn,
        UUID(principal or tenant.principal),
        agent,
        model,
        *tokens,
        cost,
        *flags,
        at or datetime.now(UTC),
    )
    return turn
