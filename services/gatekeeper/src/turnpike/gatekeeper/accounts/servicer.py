"""AccountService: the wire's messages to gatekeeper's values, and back."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import AccountServiceServicer
from turnpike.gatekeeper.accounts.budgets import Budgets
from turnpike.gatekeeper.accounts.messages import (
    budget_message,
    held_message,
    known_id,
    overrides_message,
    overrides_of,
    plan_message,
    plan_of,
    principal_of,
    refusal_message,
    subscription_message,
    subscription_of,
)
from turnpike.gatekeeper.accounts.model import Terms
from turnpike.gatekeeper.accounts.overrides import LimitsOfTenants
from turnpike.gatekeeper.accounts.plans import Plans
from turnpike.gatekeeper.accounts.refusals import Refusals
from turnpike.gatekeeper.accounts.subscriptions import Subscriptions
from turnpike.rpc.paging import cursor_of, moment, number, page_size, page_token, text
from turnpike.rpc.served import Context, caller_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What decides about accounts, by noun."""

    plans: Plans
    subscriptions: Subscriptions
    limits: LimitsOfTenants
    budgets: Budgets
    refusals: Refusals


class AccountServicer(AccountServiceServicer):
    """Serves turnpike.api.gatekeeper.v1.AccountService."""

    def __init__(self, accounts: Accounts) -> None:
        self._plans = accounts.plans
        self._subscriptions = accounts.subscriptions
        self._limits = accounts.limits
        self._budgets = accounts.budgets
        self._refusals = accounts.refusals

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.GetPlanResponse:
        plan = await self._plans.get(caller_of(context), request.name)
        return pb.GetPlanResponse(plan=plan_message(plan))

    async def ListPlans(
        self, request: pb.ListPlansRequest, context: Context
    ) -> pb.ListPlansResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, text)
        after = cursor[0] if cursor else ""
        plans = await self._plans.page(caller_of(context), after, size + 1)
        return pb.ListPlansResponse(
            plans=map(plan_message, plans[:size]),
            next_page_token=page_token(plans[size - 1].name) if len(plans) > size else "",
        )

    async def UpdatePlan(
        self, request: pb.UpdatePlanRequest, context: Context
    ) -> pb.UpdatePlanResponse:
        plan, change = await self._plans.update(
            caller_of(context), plan_of(request.plan), _terms(request)
        )
        return pb.UpdatePlanResponse(plan=plan_message(plan), change=f"CHANGE_{change}")

    async def DeletePlan(
        self, request: pb.DeletePlanRequest, context: Context
    ) -> pb.DeletePlanResponse:
        await self._plans.delete(caller_of(context), request.name, request.etag)
        return pb.DeletePlanResponse()

    async def GetSubscription(
        self, request: pb.GetSubscriptionRequest, context: Context
    ) -> pb.GetSubscriptionResponse:
        found = await self._subscriptions.get(
            caller_of(context), request.tenant, principal_of(request.principal)
        )
        return pb.GetSubscriptionResponse(subscription=subscription_message(found))

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        size, after = page_size(request.page_size), cursor_of(request.page_token, moment, UUID)
        found = await self._subscriptions.page(caller_of(context), request.tenant, after, size + 1)
        more = len(found) > size
        return pb.ListSubscriptionsResponse(
            subscriptions=map(subscription_message, found[:size]),
            next_page_token=page_token(found[size - 1].created, found[size - 1].id) if more else "",
        )

    async def UpdateSubscription(
        self, request: pb.UpdateSubscriptionRequest, context: Context
    ) -> pb.UpdateSubscriptionResponse:
        made, change = await self._subscriptions.update(
            caller_of(context), subscription_of(request.subscription), _terms(request)
        )
        return pb.UpdateSubscriptionResponse(
            subscription=subscription_message(made), change=f"CHANGE_{change}"
        )

    async def DeleteSubscription(
        self, request: pb.DeleteSubscriptionRequest, context: Context
    ) -> pb.DeleteSubscriptionResponse:
        await self._subscriptions.delete(
            caller_of(context),
            known_id("tenant", request.tenant),
            principal_of(request.principal),
            request.etag,
        )
        return pb.DeleteSubscriptionResponse()

    async def GetLimits(
        self, request: pb.GetLimitsRequest, context: Context
    ) -> pb.GetLimitsResponse:
        held = await self._limits.held(caller_of(context), request.tenant, request.principal)
        return held_message(*held)

    async def GetOverrides(
        self, request: pb.GetOverridesRequest, context: Context
    ) -> pb.GetOverridesResponse:
        overrides = await self._limits.get(caller_of(context), request.tenant)
        return pb.GetOverridesResponse(overrides=overrides_message(overrides))

    async def UpdateOverrides(
        self, request: pb.UpdateOverridesRequest, context: Context
    ) -> pb.UpdateOverridesResponse:
        wished = overrides_of(request.overrides)
        change = await self._limits.update(caller_of(context), wished, _terms(request))
        return pb.UpdateOverridesResponse(
            overrides=overrides_message(wished), change=f"CHANGE_{change}"
        )

    async def DeleteOverrides(
        self, request: pb.DeleteOverridesRequest, context: Context
    ) -> pb.DeleteOverridesResponse:
        tenant = known_id("tenant", request.tenant)
        await self._limits.delete(caller_of(context), tenant, request.etag)
        return pb.DeleteOverridesResponse()

    async def GetBudget(
        self, request: pb.GetBudgetRequest, context: Context
    ) -> pb.GetBudgetResponse:
        budget = await self._budgets.get(caller_of(context), request.name)
        return pb.GetBudgetResponse(budget=budget_message(budget))

    async def ListBudgets(
        self, request: pb.ListBudgetsRequest, context: Context
    ) -> pb.ListBudgetsResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, text)
        after = cursor[0] if cursor else ""
        budgets = await self._budgets.page(caller_of(context), after, size + 1)
        return pb.ListBudgetsResponse(
            budgets=map(budget_message, budgets[:size]),
            next_page_token=page_token(budgets[size - 1].name) if len(budgets) > size else "",
        )

    async def UpdateBudget(
        self, request: pb.UpdateBudgetRequest, context: Context
    ) -> pb.UpdateBudgetResponse:
        wished = request.budget
        made, change = await self._budgets.update(
            caller_of(context), wished.name, wished.limit_micro_usd, _terms(request)
        )
        return pb.UpdateBudgetResponse(budget=budget_message(made), change=f"CHANGE_{change}")

    async def DeleteBudget(
        self, request: pb.DeleteBudgetRequest, context: Context
    ) -> pb.DeleteBudgetResponse:
        await self._budgets.delete(caller_of(context), request.name, request.etag)
        return pb.DeleteBudgetResponse()

    async def ListRefusals(
        self, request: pb.ListRefusalsRequest, context: Context
    ) -> pb.ListRefusalsResponse:
        size = page_size(request.page_size)
        found = await self._refusals.page(
            caller_of(context),
            reason=request.reason,
            principal=request.principal,
            after=cursor_of(request.page_token, moment, UUID, number, number),
            limit=size + 1,
        )
        last = found[size - 1] if len(found) > size else None
        return pb.ListRefusalsResponse(
            refusals=map(refusal_message, found[:size]),
            next_page_token=page_token(last.created, last.turn, last.attempt, last.segment)
            if last
            else "",
        )


class _Update(Protocol):
    etag: str
    allow_missing: bool
    validate_only: bool


def _terms(request: _Update) -> Terms:
    return Terms(
        etag=request.etag,
        allow_missing=request.allow_missing,
        validate_only=request.validate_only,
    )
