"""Plans, and who is on which."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import AccountServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.limits import TIERS, Limits, LimitsReply, Tier, limits_reply
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page
from turnpike.gateway.routes.replies import changed, reply, tagged, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import (
    Instant,
    Name,
    Reply,
    Request,
    Text,
    Time,
    check_name,
    in_utc,
)

_PLAN_NAMES = {"plan.": ""}
_SUBSCRIPTION_NAMES = {
    "subscription.start_time": "starts",
    "subscription.end_time": "ends",
    "subscription.": "",
}
_STATUSES = {
    value: name.removeprefix("SUBSCRIPTION_STATUS_")
    for name, value in pb.SubscriptionStatus.items()
}

TenantQuery = Annotated[
    str,
    Query(max_length=64, description="Another tenant, or `-` for all; the first tenant's alone."),
]


class PlanSpec(Request):
    """What is offered to tenants and people."""

    name: Name | None = None
    tier: Tier
    limits: Limits = Limits()


class Plan(Reply):
    """What is offered to tenants and people."""

    name: str
    tier: str
    limits: LimitsReply
    etag: str
    created: Time


class PlanPage(Reply):
    """A page of plans, by name."""

    plans: list[Plan]
    next_page_token: str


class SubscriptionSpec(Request):
    """Puts a tenant, or one person in it, on a plan."""

    name: Annotated[Text, Field(max_length=100)] | None = None
    plan: Name
    status: Literal["ACTIVE", "PAST_DUE"] = "ACTIVE"
    starts: Instant | None = None
    ends: Instant | None = None


class Subscription(Reply):
    """Puts a tenant, or one person in it, on a plan."""

    name: str = Field(description="The tenant's id; for a person's plan `TENANT.PRINCIPAL`.")
    id: str
    tenant: str
    principal: str
    plan: str
    status: str
    starts: Time
    ends: Time | None
    etag: str
    created: Time


class SubscriptionPage(Reply):
    """A page of subscriptions, newest first."""

    subscriptions: list[Subscription]
    next_page_token: str


class PlanRoutes:
    """`/api/v1/plans` and `/api/v1/subscriptions`."""

    def __init__(self, accounts: AccountServiceStub) -> None:
        self._accounts = accounts

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Plan,
            page=PlanPage,
            list_page=self.list_plans,
            get=self.get_plan,
            put=self.put_plan,
            delete=self.delete_plan,
        ).add_to(router, "/api/v1/plans")
        Configured(
            noun=Subscription,
            page=SubscriptionPage,
            list_page=self.list_subscriptions,
            get=self.get_subscription,
            put=self.put_subscription,
            delete=self.delete_subscription,
        ).add_to(router, "/api/v1/subscriptions")
        return router

    async def list_plans(self, call: CurrentCall, page: Page) -> Response:
        """Lists plans by name."""
        request = pb.ListPlansRequest(**page)
        response = await call.read(self._accounts.ListPlans, request)
        plans = [_plan(each) for each in response.plans]
        return reply(PlanPage(plans=plans, next_page_token=response.next_page_token))

    async def get_plan(self, call: CurrentCall, name: str) -> Response:
        """Returns a plan."""
        response = await call.read(self._accounts.GetPlan, pb.GetPlanRequest(name=name))
        return tagged(_plan(response.plan))

    async def put_plan(
        self, call: CurrentCall, name: str, body: PlanSpec, write: CurrentWrite
    ) -> Response:
        """Makes a plan what the body says; the next admission obeys it."""
        check_name(body.name, name)
        request = pb.UpdatePlanRequest(
            plan=pb.Plan(name=name, tier=f"TIER_{body.tier}", limits=body.limits.message()),
            **write.update,
        )
        response = await call.read(self._accounts.UpdatePlan, request, _PLAN_NAMES)
        return changed(_plan(response.plan), response.change, write)

    async def delete_plan(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes a plan that nobody was ever on."""
        request = pb.DeletePlanRequest(name=name, etag=if_match(tag))
        await call.change(self._accounts.DeletePlan, request)
        return Response(status_code=204)

    async def list_subscriptions(
        self, call: CurrentCall, page: Page, tenant: TenantQuery = ""
    ) -> Response:
        """Lists subscriptions, newest first, ended ones included."""
        request = pb.ListSubscriptionsRequest(tenant=tenant, **page)
        response = await call.read(self._accounts.ListSubscriptions, request)
        subscriptions = [_subscription(each) for each in response.subscriptions]
        return reply(
            SubscriptionPage(subscriptions=subscriptions, next_page_token=response.next_page_token)
        )

    async def get_subscription(self, call: CurrentCall, name: str) -> Response:
        """Returns the subscription that has not ended of a tenant or a person."""
        tenant, _, principal = name.partition(".")
        request = pb.GetSubscriptionRequest(tenant=tenant, principal=principal)
        response = await call.read(self._accounts.GetSubscription, request)
        return tagged(_subscription(response.subscription))

    async def put_subscription(
        self, call: CurrentCall, name: str, body: SubscriptionSpec, write: CurrentWrite
    ) -> Response:
        """Puts a tenant, or one person in it, on a plan; the next admission obeys it."""
        check_name(body.name, name)
        tenant, _, principal = name.partition(".")
        request = pb.UpdateSubscriptionRequest(
            subscription=pb.Subscription(
                tenant=tenant,
                principal=principal,
                plan=body.plan,
                status=f"SUBSCRIPTION_STATUS_{body.status}",
                start_time=in_utc("starts", body.starts),
                end_time=in_utc("ends", body.ends),
            ),
            **write.update,
        )
        response = await call.read(self._accounts.UpdateSubscription, request, _SUBSCRIPTION_NAMES)
        return changed(_subscription(response.subscription), response.change, write)

    async def delete_subscription(
        self, call: CurrentCall, name: str, tag: IfMatch = None
    ) -> Response:
        """Ends a subscription now."""
        tenant, _, principal = name.partition(".")
        request = pb.DeleteSubscriptionRequest(
            tenant=tenant, principal=principal, etag=if_match(tag)
        )
        await call.change(self._accounts.DeleteSubscription, request)
        return Response(status_code=204)


def _plan(plan: pb.Plan) -> Plan:
    return Plan(
        name=plan.name,
        tier=TIERS[plan.tier],
        limits=limits_reply(plan.limits),
        etag=plan.etag,
        created=rfc3339(plan.create_time),
    )


def _subscription(found: pb.Subscription) -> Subscription:
    return Subscription(
        name=f"{found.tenant}.{found.principal}" if found.principal else found.tenant,
        id=found.id,
        tenant=found.tenant,
        principal=found.principal,
        plan=found.plan,
        status=_STATUSES[found.status],
        starts=rfc3339(found.start_time),
        ends=time_of(found, "end_time"),
        etag=found.etag,
        created=rfc3339(found.create_time),
    )
