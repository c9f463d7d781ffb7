"""What holds for a tenant and its people: limits, budgets, refusals."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import AccountServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.limits import (
    TIERS,
    DefaultPrices,
    DefaultPricesReply,
    Limits,
    LimitsReply,
    MicroDollars,
    limits_reply,
    prices_reply,
)
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page
from turnpike.gateway.routes.replies import changed, problems, reply, tagged, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time, check_name

_BUDGET_NAMES = {"budget.": ""}
_OVERRIDES_NAMES = {"overrides.": ""}

Who = Annotated[str, Query(max_length=64)]


class OverridesSpec(Request):
    """What a tenant has instead of its plan's."""

    limits: Limits = Limits()
    default_prices: DefaultPrices = DefaultPrices()


class Overrides(Reply):
    """What a tenant has instead of its plan's."""

    tenant: str
    limits: LimitsReply
    default_prices: DefaultPricesReply
    etag: str


class HeldLimits(Reply):
    """The limits that hold for somebody now, and where they come from."""

    tenant: str
    principal: str
    plan: str
    tier: str
    personal: bool
    limits: LimitsReply
    default_prices: DefaultPricesReply


class BudgetSpec(Request):
    """What may be spent by somebody in each period of UTC."""

    name: Annotated[Text, Field(max_length=80)] | None = None
    limit_micro_usd: MicroDollars


class Budget(Reply):
    """What may be spent by somebody in each period of UTC, and what is spent."""

    name: str = Field(
        description="Whose and when: `tenant.month`, `principal.ID.day`, `agent.NAME.total`."
    )
    limit_micro_usd: int
    spent_micro_usd: int
    resets: Time | None
    etag: str
    created: Time


class BudgetPage(Reply):
    """A page of budgets, by name."""

    budgets: list[Budget]
    next_page_token: str


class Refusal(Reply):
    """A try at admission that was not let in."""

    turn: str
    attempt: int
    segment: int
    principal: str
    agent: str
    reason: str
    metadata: dict[str, str]
    created: Time


class RefusalPage(Reply):
    """A page of refusals, newest first."""

    refusals: list[Refusal]
    next_page_token: str


class AccountRoutes:
    """`/api/v1/limits`, `/api/v1/budgets` and `/api/v1/refusals`."""

    def __init__(self, accounts: AccountServiceStub) -> None:
        self._accounts = accounts

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/limits",
            self.get_limits,
            methods=["GET"],
            response_model=HeldLimits,
            responses=problems(404),
        )
        Configured(
            noun=Overrides,
            get=self.get_overrides,
            put=self.put_overrides,
            delete=self.delete_overrides,
        ).add_to(router, "/api/v1/limits")
        Configured(
            noun=Budget,
            page=BudgetPage,
            list_page=self.list_budgets,
            get=self.get_budget,
            put=self.put_budget,
            delete=self.delete_budget,
        ).add_to(router, "/api/v1/budgets")
        router.add_api_route(
            "/api/v1/refusals",
            self.list_refusals,
            methods=["GET"],
            response_model=RefusalPage,
            responses=problems(),
        )
        return router

    async def get_limits(
        self, call: CurrentCall, tenant: Who = "", principal: Who = ""
    ) -> Response:
        """Returns the limits that hold now for the caller, or for whom it asks."""
        request = pb.GetLimitsRequest(tenant=tenant, principal=principal)
        held = await call.read(self._accounts.GetLimits, request)
        return reply(
            HeldLimits(
                tenant=held.tenant,
                principal=held.principal,
                plan=held.plan,
                tier=TIERS.get(held.tier, ""),
                personal=held.personal,
                limits=limits_reply(held.limits),
                default_prices=prices_reply(held.default_prices),
            )
        )

    async def get_overrides(self, call: CurrentCall, name: str) -> Response:
        """Returns what a tenant has instead of its plan's."""
        request = pb.GetOverridesRequest(tenant=name)
        response = await call.read(self._accounts.GetOverrides, request)
        return tagged(_overrides(response.overrides))

    async def put_overrides(
        self, call: CurrentCall, name: str, body: OverridesSpec, write: CurrentWrite
    ) -> Response:
        """Gives a tenant limits instead of its plan's; the next admission obeys them."""
        request = pb.UpdateOverridesRequest(
            overrides=pb.Overrides(
                tenant=name,
                limits=body.limits.message(),
                default_prices=body.default_prices.message(),
            ),
            **write.update,
        )
        response = await call.read(self._accounts.UpdateOverrides, request, _OVERRIDES_NAMES)
        return changed(_overrides(response.overrides), response.change, write)

    async def delete_overrides(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Gives a tenant its plan's limits again."""
        request = pb.DeleteOverridesRequest(tenant=name, etag=if_match(tag))
        await call.change(self._accounts.DeleteOverrides, request)
        return Response(status_code=204)

    async def list_budgets(self, call: CurrentCall, page: Page) -> Response:
        """Lists budgets by name, each with what is spent of it."""
        request = pb.ListBudgetsRequest(**page)
        response = await call.read(self._accounts.ListBudgets, request)
        budgets = [_budget(each) for each in response.budgets]
        return reply(BudgetPage(budgets=budgets, next_page_token=response.next_page_token))

    async def get_budget(self, call: CurrentCall, name: str) -> Response:
        """Returns a budget, and what is spent of it."""
        response = await call.read(self._accounts.GetBudget, pb.GetBudgetRequest(name=name))
        return tagged(_budget(response.budget))

    async def put_budget(
        self, call: CurrentCall, name: str, body: BudgetSpec, write: CurrentWrite
    ) -> Response:
        """Makes a budget what the body says; the next admission obeys it."""
        check_name(body.name, name)
        request = pb.UpdateBudgetRequest(
            budget=pb.Budget(name=name, limit_micro_usd=body.limit_micro_usd), **write.update
        )
        response = await call.read(self._accounts.UpdateBudget, request, _BUDGET_NAMES)
        return changed(_budget(response.budget), response.change, write)

    async def delete_budget(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes a budget."""
        request = pb.DeleteBudgetRequest(name=name, etag=if_match(tag))
        await call.change(self._accounts.DeleteBudget, request)
        return Response(status_code=204)

    async def list_refusals(
        self,
        call: CurrentCall,
        page: Page,
        reason: Annotated[str, Query(max_length=64)] = "",
        principal: Who = "",
    ) -> Response:
        """Lists what was refused at admission in the last 30 days, newest first."""
        request = pb.ListRefusalsRequest(reason=reason, principal=principal, **page)
        response = await call.read(self._accounts.ListRefusals, request)
        refusals = [_refusal(each) for each in response.refusals]
        return reply(RefusalPage(refusals=refusals, next_page_token=response.next_page_token))


def _overrides(found: pb.Overrides) -> Overrides:
    return Overrides(
        tenant=found.tenant,
        limits=limits_reply(found.limits),
        default_prices=prices_reply(found.default_prices),
        etag=found.etag,
    )


def _budget(budget: pb.Budget) -> Budget:
    return Budget(
        name=budget.name,
        limit_micro_usd=budget.limit_micro_usd,
        spent_micro_usd=budget.spent_micro_usd,
        resets=time_of(budget, "reset_time"),
        etag=budget.etag,
        created=rfc3339(budget.create_time),
    )


def _refusal(refused: pb.Refusal) -> Refusal:
    return Refusal(
        turn=refused.turn,
        attempt=refused.attempt,
        segment=refused.segment,
        principal=refused.principal,
        agent=refused.agent,
        reason=refused.reason,
        metadata=dict(refused.metadata),
        created=rfc3339(refused.create_time),
    )
