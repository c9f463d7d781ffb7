"""Plans, budgets and turns that spend, for the tests of admission."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.gatekeeper.serving import Tenant
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AdmitRequest,
    AdmitResponse,
    Estimate,
    ExtendRequest,
    ExtendResponse,
    ModelPrice,
    Prices,
    ReleaseRequest,
    SettleRequest,
    UsageKind,
)

MODEL = "a-model"
# Micro-dollars for a million tokens: a token costs a micro-dollar.
PRICE = Prices(input=1_000_000, output=1_000_000)


@dataclass
class Bank:
    """What a platform's admins set, written straight into the tables."""

    superuser: asyncpg.Connection

    async def plan(self, name: str, tier: str = "pro", **limits: int) -> str:
        """Offers a plan."""
        await self.superuser.execute(
            "INSERT INTO plans (name, tier) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, tier
        )
        for limit, value in limits.items():
            await self.superuser.execute(
                f"UPDATE plans SET {limit} = $2 WHERE name = $1", name, value
            )
        return name

    async def subscribe(self, tenant: Tenant, plan: str, principal: str | None = None) -> None:
        """Puts a tenant, or one of its principals, on a plan."""
        await self.superuser.execute(
            "INSERT INTO subscriptions (tenant, principal, plan) VALUES ($1, $2, $3)",
            tenant.id,
            principal,
            plan,
        )

    async def limit(self, tenant: Tenant, **limits: int) -> None:
        """Gives a tenant a plan of its own with these limits."""
        name = f"plan-of-{tenant.id}"
        await self.plan(name, "pro", **limits)
        await self.subscribe(tenant, name)

    async def change(self, tenant: Tenant, **limits: int | None) -> None:
        """Changes the limits of a tenant's own plan."""
        for limit, value in limits.items():
            await self.superuser.execute(
                f"UPDATE plans SET {limit} = $2 WHERE name = $1", f"plan-of-{tenant.id}", value
            )

    async def budget(
        self, tenant: Tenant, limit: int, scope: str = "tenant", subject: str = "", period: str = ""
    ) -> None:
        """Gives a tenant, or somebody or something in it, a budget."""
        await self.superuser.execute(
            "INSERT INTO budgets (tenant, scope, subject, period, limit_micro_usd)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, scope, subject, period)"
            " DO UPDATE SET limit_micro_usd = excluded.limit_micro_usd",
            tenant.id,
            scope,
            subject,
            period or "month",
            limit,
        )

    async def spent(self, tenant: Tenant, scope: str = "tenant", subject: str = "") -> int:
        """Returns what counters say was spent this month."""
        row = await self.superuser.fetchval(
            "SELECT spent_micro_usd FROM counters WHERE tenant = $1 AND scope = $2"
            " AND subject = $3 AND period = 'month'",
            tenant.id,
            scope,
            subject,
        )
        return row or 0

    async def billed(self, tenant: Tenant) -> list[asyncpg.Record]:
        """Returns the tenant's ledger."""
        return await self.superuser.fetch(
            "SELECT * FROM ledger WHERE tenant = $1 ORDER BY step, call, attempt", tenant.id
        )


@dataclass
class Turn:
    """A turn that calls a model, as agent-runtime does."""

    tenant: Tenant
    request: AdmitRequest
    response: AdmitResponse = field(default_factory=AdmitResponse)

    @property
    def name(self) -> str:
        return self.request.turn

    async def admit(self) -> AdmitResponse:
        """Admits the turn's first segment."""
        self.response = await self.tenant.admit(self.request)
        return self.response

    async def resume(self, segment: int, tokens: tuple[int, int] = (10, 90)) -> AdmitResponse:
        """Admits a later segment."""
        request = AdmitRequest()
        request.CopyFrom(self.request)
        request.segment, request.snapshot = segment, self.response.snapshot
        request.estimate.CopyFrom(estimate(*tokens))
        return await self.tenant.admit(request)

    async def extend(
        self, step: int, attempt: int = 1, tokens: tuple[int, int] = (10, 90), segment: int = 1
    ) -> ExtendResponse:
        request = ExtendRequest(
            turn=self.name,
            tenant=self.tenant.id,
            segment=segment,
            snapshot=self.response.snapshot,
            step=step,
            attempt=attempt,
            estimate=estimate(*tokens),
        )
        gatekeeper = self.tenant.gatekeeper
        return await gatekeeper.stub.Extend(request, metadata=gatekeeper.as_runtime)

    def settlement(
        self, *used: SettleRequest.Usage, segment: int = 1, ends: bool = False
    ) -> SettleRequest:
        return SettleRequest(
            turn=self.name,
            tenant=self.tenant.id,
            segment=segment,
            snapshot=self.response.snapshot,
            usage=used,
            ends=ends,
        )

    async def settle(self, *used: SettleRequest.Usage, segment: int = 1, ends: bool = False) -> int:
        """Settles what was used; returns what it cost."""
        request = self.settlement(*used, segment=segment, ends=ends)
        gatekeeper = self.tenant.gatekeeper
        response = await gatekeeper.stub.Settle(request, metadata=gatekeeper.as_runtime)
        return response.cost_micro_usd

    async def release(self, segment: int = 1, *, settled: bool = True) -> None:
        request = ReleaseRequest(
            turn=self.name, tenant=self.tenant.id, segment=segment, settled=settled
        )
        gatekeeper = self.tenant.gatekeeper
        await gatekeeper.stub.Release(request, metadata=gatekeeper.as_runtime)


def estimate(input_tokens: int, output_tokens: int, model: str = MODEL) -> Estimate:
    return Estimate(model=model, input_tokens=input_tokens, max_output_tokens=output_tokens)


def spender(tenant: Tenant, input_tokens: int = 10, output_tokens: int = 90, **others: Any) -> Turn:
    """Returns a turn whose first call may cost so many micro-dollars."""
    values: dict[str, Any] = {
        "estimate": estimate(input_tokens, output_tokens),
        "prices": [ModelPrice(model=MODEL, prices=PRICE)],
        **others,
    }
    return Turn(tenant, tenant.turn(**values))


def used(
    step: int, input_tokens: int, output_tokens: int, attempt: int = 1, **others: Any
) -> SettleRequest.Usage:
    values: dict[str, Any] = {
        "step": step,
        "attempt": attempt,
        "kind": UsageKind.USAGE_KIND_CHAT,
        "model": MODEL,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        **others,
    }
    return SettleRequest.Usage(**values)
