"""Who may do what with accounts: every rpc, for every role, and across tenants."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

from tests.gatekeeper.accounts.callers import PLATFORM, Accounts, Metadata
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as usage_pb
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.identity import bearer

ROLES = [Role.ROLE_OWNER, Role.ROLE_ADMIN, Role.ROLE_MEMBER, Role.ROLE_VIEWER]
ADMINS = {Role.ROLE_OWNER, Role.ROLE_ADMIN}

EVERYBODY = {
    "GetPlan": lambda _: pb.GetPlanRequest(name="none"),
    "ListPlans": lambda _: pb.ListPlansRequest(),
    "GetLimits": lambda _: pb.GetLimitsRequest(),
    "ListRefusals": lambda _: pb.ListRefusalsRequest(),
    "ReportUsage": lambda _: usage_pb.ReportUsageRequest(),
    "ListUsage": lambda _: usage_pb.ListUsageRequest(),
}
OF_ADMINS = {
    "GetSubscription": lambda _: pb.GetSubscriptionRequest(),
    "ListSubscriptions": lambda _: pb.ListSubscriptionsRequest(),
    "GetOverrides": lambda _: pb.GetOverridesRequest(),
    "GetBudget": lambda _: pb.GetBudgetRequest(name="tenant.day"),
    "ListBudgets": lambda _: pb.ListBudgetsRequest(),
    "UpdateBudget": lambda _: pb.UpdateBudgetRequest(budget=pb.Budget(name="tenant.day")),
    "DeleteBudget": lambda _: pb.DeleteBudgetRequest(name="tenant.day"),
}
OF_THE_PLATFORM = {
    "UpdatePlan": lambda _: pb.UpdatePlanRequest(plan=pb.Plan(name="none", tier=pb.TIER_FREE)),
    "DeletePlan": lambda _: pb.DeletePlanRequest(name="none"),
    "UpdateSubscription": lambda tenant: pb.UpdateSubscriptionRequest(
        subscription=pb.Subscription(tenant=tenant.id, plan="none")
    ),
    "DeleteSubscription": lambda tenant: pb.DeleteSubscriptionRequest(tenant=tenant.id),
    "UpdateOverrides": lambda tenant: pb.UpdateOverridesRequest(
        overrides=pb.Overrides(tenant=tenant.id)
    ),
    "DeleteOverrides": lambda tenant: pb.DeleteOverridesRequest(tenant=tenant.id),
}
REQUESTS: dict[str, Callable[[Tenant], Message]] = {**EVERYBODY, **OF_ADMINS, **OF_THE_PLATFORM}
METHODS = [
    *pb.DESCRIPTOR.services_by_name["AccountService"].methods_by_name,
    *usage_pb.DESCRIPTOR.services_by_name["UsageService"].methods_by_name,
]


async def outcome(accounts: Accounts, method: str, request: Message, who: Metadata) -> str:
    """Calls an rpc; returns `OK` or the reason of its refusal."""
    stub: Any = accounts.stub if hasattr(accounts.stub, method) else accounts.usage
    call = getattr(stub, method)(request, metadata=who)
    try:
        await call
    except grpc.aio.AioRpcError:
        return (await refusal(call)).reason
    return "OK"


def test_every_rpc_is_for_somebody():
    assert sorted(REQUESTS) == sorted(METHODS)


@pytest.mark.parametrize("role", ROLES, ids=Role.Name)
async def test_each_rpc_is_for_whom_it_is(accounts: Accounts, tenant: Tenant, role: "Role"):
    who = bearer((await tenant.create_key(role)).secret)

    found = {name: await outcome(accounts, name, REQUESTS[name](tenant), who) for name in METHODS}

    allowed = {*EVERYBODY, *(OF_ADMINS if role in ADMINS else ())}
    assert {name for name, reason in found.items() if reason != "FORBIDDEN"} == allowed


async def test_the_platform_may_what_nobody_else_may(accounts: Accounts, tenant: Tenant):
    for method in OF_THE_PLATFORM:
        found = await outcome(accounts, method, REQUESTS[method](tenant), PLATFORM)
        assert found in ("OK", "NOT_FOUND", "INVALID_ARGUMENT"), method


async def test_no_service_reads_or_changes_accounts_by_itself(accounts: Accounts, tenant: Tenant):
    who = tenant.gatekeeper.as_service("agent-runtime")

    for method in METHODS:
        found = await outcome(accounts, method, REQUESTS[method](tenant), who)
        assert found == "FORBIDDEN", method


async def test_what_belongs_to_another_tenant_is_not_there(accounts: Accounts, tenant: Tenant):
    theirs = await tenant.gatekeeper.create_tenant()
    await accounts.budget(theirs, "tenant.day", 5)
    plan = (await accounts.plan()).name
    await accounts.subscribe(theirs, plan)
    foreign = {
        "GetBudget": pb.GetBudgetRequest(name="tenant.day"),
        "DeleteBudget": pb.DeleteBudgetRequest(name="tenant.day"),
        "GetSubscription": pb.GetSubscriptionRequest(tenant=theirs.id),
        "ListSubscriptions": pb.ListSubscriptionsRequest(tenant=theirs.id),
        "GetLimits": pb.GetLimitsRequest(tenant=theirs.id),
        "GetOverrides": pb.GetOverridesRequest(tenant=theirs.id),
    }

    for method, request in foreign.items():
        found = await outcome(accounts, method, request, tenant.as_admin)
        assert found in ("NOT_FOUND", "FORBIDDEN"), method
    kept = await accounts.stub.ListBudgets(pb.ListBudgetsRequest(), metadata=theirs.as_admin)
    assert len(kept.budgets) == 1


@pytest.mark.parametrize("id", [str(uuid4()), "nothing"], ids=["unknown", "no id"])
async def test_a_tenant_that_is_none_is_not_found(accounts: Accounts, id: str):
    for method, request in {
        "GetLimits": pb.GetLimitsRequest(tenant=id),
        "GetOverrides": pb.GetOverridesRequest(tenant=id),
        "GetSubscription": pb.GetSubscriptionRequest(tenant=id),
        "DeleteSubscription": pb.DeleteSubscriptionRequest(tenant=id),
        "UpdateOverrides": pb.UpdateOverridesRequest(
            overrides=pb.Overrides(tenant=id), allow_missing=True
        ),
    }.items():
        assert await outcome(accounts, method, request, PLATFORM) == "NOT_FOUND", method
