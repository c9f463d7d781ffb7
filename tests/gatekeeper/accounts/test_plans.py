"""What the platform may rely on that keeps plans, subscriptions and overrides."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from tests.gatekeeper.accounts.callers import PLATFORM, Accounts
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.identity import bearer

CREATED, CHANGED, UNCHANGED = pb.CHANGE_CREATED, pb.CHANGE_CHANGED, pb.CHANGE_UNCHANGED


def plan(name: str, **limits: int) -> pb.Plan:
    return pb.Plan(name=name, tier=pb.TIER_PRO, limits=pb.Limits(**limits))  # pyright: ignore[reportArgumentType]


async def put(accounts: Accounts, wished: pb.Plan, **terms: Any) -> pb.UpdatePlanResponse:
    given: dict[str, Any] = {"allow_missing": True, **terms}
    request = pb.UpdatePlanRequest(plan=wished, **given)
    return await accounts.stub.UpdatePlan(request, metadata=PLATFORM)


async def test_a_plan_becomes_what_is_said_and_says_what_it_took(accounts: Accounts):
    name = f"plan-{uuid4()}"

    made = await put(accounts, plan(name, sync_per_minute=60))
    again = await put(accounts, plan(name, sync_per_minute=60))
    other = await put(accounts, plan(name, sync_per_minute=60, slots=3))

    assert (made.change, again.change, other.change) == (CREATED, UNCHANGED, CHANGED)
    assert made.plan.etag == again.plan.etag != other.plan.etag
    found = await accounts.stub.GetPlan(pb.GetPlanRequest(name=name), metadata=PLATFORM)
    assert found.plan == other.plan
    assert found.plan.limits == pb.Limits(sync_per_minute=60, slots=3)


@pytest.mark.parametrize(
    "name",
    ["", "Team", "-team", "a plan", "x" * 64, "a\n", "a\0"],
    ids=["empty", "capital", "sign", "space", "long", "line", "nul"],
)
async def test_a_wrong_name_is_refused_in_words(accounts: Accounts, name: str):
    refused = await refusal(put(accounts, plan(name)))

    ((field, said),) = refused.fields
    assert (refused.code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "plan.name")
    assert "^" not in said


async def test_validate_only_changes_nothing(accounts: Accounts):
    name = f"plan-{uuid4()}"

    checked = await put(accounts, plan(name), validate_only=True)

    assert checked.change == CREATED
    missing = accounts.stub.GetPlan(pb.GetPlanRequest(name=name), metadata=PLATFORM)
    assert (await refusal(missing)).reason == "NOT_FOUND"


async def test_an_etag_binds_a_change(accounts: Accounts):
    made = (await put(accounts, plan(f"plan-{uuid4()}"))).plan
    await put(accounts, plan(made.name, slots=1))

    late = await refusal(put(accounts, plan(made.name, slots=2), etag=made.etag))
    gone = await refusal(
        accounts.stub.DeletePlan(
            pb.DeletePlanRequest(name=made.name, etag=made.etag), metadata=PLATFORM
        )
    )

    assert (late.code, late.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ETAG_MISMATCH")
    assert gone.reason == "ETAG_MISMATCH"
    missing = await refusal(put(accounts, plan(f"plan-{uuid4()}"), allow_missing=False))
    assert missing.reason == "NOT_FOUND"


async def test_of_two_changes_bound_to_one_etag_one_wins(accounts: Accounts):
    made = (await put(accounts, plan(f"plan-{uuid4()}"))).plan

    outcomes = await asyncio.gather(
        *(put(accounts, plan(made.name, slots=n), etag=made.etag) for n in range(1, 9)),
        return_exceptions=True,
    )

    won = [each for each in outcomes if not isinstance(each, BaseException)]
    assert len(won) == 1
    found = await accounts.stub.GetPlan(pb.GetPlanRequest(name=made.name), metadata=PLATFORM)
    assert found.plan == won[0].plan


async def test_plans_are_listed_by_name_page_by_page(accounts: Accounts):
    prefix = f"plan-{uuid4()}"
    names = [f"{prefix}-{n}" for n in range(5)]
    for name in reversed(names):
        await put(accounts, plan(name))

    found: list[str] = []
    request = pb.ListPlansRequest(page_size=2)
    while True:
        page = await accounts.stub.ListPlans(request, metadata=PLATFORM)
        assert len(page.plans) <= 2
        found += [each.name for each in page.plans]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert [name for name in found if name.startswith(prefix)] == names
    assert found == sorted(found)


async def test_a_plan_that_somebody_was_on_stays(accounts: Accounts, tenant: Tenant):
    used = await accounts.plan()
    await accounts.subscribe(tenant, used.name)
    free = await accounts.plan()

    kept = accounts.stub.DeletePlan(pb.DeletePlanRequest(name=used.name), metadata=PLATFORM)
    assert (await refusal(kept)).reason == "IN_USE"

    await accounts.stub.DeletePlan(pb.DeletePlanRequest(name=free.name), metadata=PLATFORM)
    gone = accounts.stub.DeletePlan(pb.DeletePlanRequest(name=free.name), metadata=PLATFORM)
    assert (await refusal(gone)).reason == "NOT_FOUND"


async def test_a_tenant_has_one_subscription_that_has_not_ended(accounts: Accounts, tenant: Tenant):
    first, second = await accounts.plan(), await accounts.plan("free")
    request = pb.ListSubscriptionsRequest(tenant=tenant.id)

    made = await accounts.subscribe(tenant, first.name)
    again = await accounts.subscribe(tenant, first.name)
    moved = await accounts.subscribe(tenant, second.name)
    listed = await accounts.stub.ListSubscriptions(request, metadata=PLATFORM)

    assert made == again
    assert (moved.id, moved.plan) == (made.id, second.name)
    assert list(listed.subscriptions) == [moved]
    assert (await accounts.limits(tenant.as_admin)).plan == second.name


async def test_of_many_first_subscriptions_at_once_one_is_left(accounts: Accounts, tenant: Tenant):
    plans = [await accounts.plan() for _ in range(4)]

    await asyncio.gather(*(accounts.subscribe(tenant, each.name) for each in plans))

    listed = await accounts.stub.ListSubscriptions(
        pb.ListSubscriptionsRequest(tenant=tenant.id), metadata=PLATFORM
    )
    assert len(listed.subscriptions) == 1


async def test_a_subscription_that_was_deleted_has_ended(accounts: Accounts, tenant: Tenant):
    made = await accounts.subscribe(tenant, (await accounts.plan()).name)
    request = pb.DeleteSubscriptionRequest(tenant=tenant.id, etag=made.etag)

    await accounts.stub.DeleteSubscription(request, metadata=PLATFORM)

    assert (await accounts.limits(tenant.as_admin)).plan == ""
    again = accounts.stub.DeleteSubscription(request, metadata=PLATFORM)
    assert (await refusal(again)).reason == "NOT_FOUND"
    listed = await accounts.stub.ListSubscriptions(
        pb.ListSubscriptionsRequest(), metadata=tenant.as_admin
    )
    assert [each.status for each in listed.subscriptions] == [pb.SUBSCRIPTION_STATUS_ENDED]


@pytest.mark.parametrize("kind", ["sync", "async", "api", "tokens"])
async def test_a_burst_without_a_rate_is_refused(accounts: Accounts, kind: str):
    """It would bound nothing, and look as if it did."""
    burst: dict[str, Any] = {f"{kind}_burst": 2}

    found = await refusal(accounts.plan(**burst))
    rate: dict[str, Any] = {f"{kind}_per_minute": 6}
    made = await accounts.plan(**burst, **rate)

    assert [path for path, _ in found.fields] == [f"plan.limits.{kind}_burst"]
    assert getattr(made.limits, f"{kind}_burst") == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        pytest.param({"plan": "no-such-plan"}, "subscription.plan", id="plan"),
        pytest.param(
            {"end_time": datetime(2020, 1, 1, tzinfo=UTC)}, "subscription.end_time", id="end"
        ),
    ],
)
async def test_a_wrong_field_of_a_subscription_is_named(
    accounts: Accounts, tenant: Tenant, wrong: dict[str, Any], field: str
):
    given: dict[str, Any] = {"plan": (await accounts.plan()).name, **wrong}

    found = await refusal(accounts.subscribe(tenant, **given))

    assert [path for path, _ in found.fields] == [field]


async def test_nobody_is_subscribed_in_a_tenant_that_is_none(accounts: Accounts, tenant: Tenant):
    plan = (await accounts.plan()).name
    nowhere = pb.Subscription(tenant=str(uuid4()), plan=plan)
    nobody = pb.Subscription(tenant=tenant.id, principal=str(uuid4()), plan=plan)

    for subscription, kind in ((nowhere, "tenant"), (nobody, "principal")):
        request = pb.UpdateSubscriptionRequest(subscription=subscription, allow_missing=True)
        found = await refusal(accounts.stub.UpdateSubscription(request, metadata=PLATFORM))
        assert (found.reason, found.metadata["kind"]) == ("NOT_FOUND", kind)


def weighed() -> list[Any]:
    """The plan of the organisation, one's own, and which of the two is in force."""
    tiers = (None, "free", "pro", "enterprise")
    ranks = {tier: rank for rank, tier in enumerate(tiers)}
    cases: list[Any] = []
    for organisation in tiers:
        for own in tiers:
            personal = ranks[own] > ranks[organisation]
            name = f"{organisation or 'none'}-{own or 'none'}"
            cases.append(pytest.param(organisation, own, personal, id=name))
    return cases


@pytest.mark.parametrize(("organisation", "own", "personal"), weighed())
async def test_the_higher_tier_wins_and_the_organisations_before_ones_own(
    accounts: Accounts, tenant: Tenant, organisation: str | None, own: str | None, personal: bool
):
    theirs = await accounts.plan(organisation, slots=5) if organisation else None
    mine = await accounts.plan(own, slots=3) if own else None
    if theirs:
        await accounts.subscribe(tenant, theirs.name)
    if mine:
        await accounts.subscribe(tenant, mine.name, principal=tenant.principal)

    held = await accounts.limits(tenant.as_admin)
    of_others = await accounts.limits(PLATFORM, tenant=tenant.id)

    expected = mine if personal else theirs
    assert (held.plan, held.personal) == (expected.name if expected else "", personal)
    assert held.limits.slots == (expected.limits.slots if expected else 64)
    assert of_others.plan == (theirs.name if theirs else "")


async def test_a_subscription_holds_from_its_start_to_its_end(accounts: Accounts, tenant: Tenant):
    soon, later = await accounts.plan("team"), await accounts.plan("pro")
    now = datetime.now(UTC)

    await accounts.subscribe(tenant, soon.name, start_time=now + timedelta(hours=1))
    assert (await accounts.limits(tenant.as_admin)).plan == ""

    await accounts.subscribe(
        tenant,
        later.name,
        start_time=now - timedelta(hours=1),
        end_time=now + timedelta(hours=1),
        status=pb.SUBSCRIPTION_STATUS_PAST_DUE,
    )
    assert (await accounts.limits(tenant.as_admin)).plan == later.name


async def test_overrides_hold_in_place_of_the_plans_limits(accounts: Accounts, tenant: Tenant):
    made = await accounts.plan(sync_per_minute=60, slots=5, monthly_limit_micro_usd=100)
    await accounts.subscribe(tenant, made.name)
    overrides = pb.Overrides(
        tenant=tenant.id,
        limits=pb.Limits(sync_per_minute=90, api_per_minute=7),
        default_prices=pb.DefaultPrices(output=1000),
    )
    request = pb.UpdateOverridesRequest(overrides=overrides, allow_missing=True)

    put = await accounts.stub.UpdateOverrides(request, metadata=PLATFORM)
    again = await accounts.stub.UpdateOverrides(request, metadata=PLATFORM)
    held = await accounts.limits(tenant.as_admin)

    assert (put.change, again.change) == (CREATED, UNCHANGED)
    assert held.limits == pb.Limits(
        sync_per_minute=90, api_per_minute=7, slots=5, monthly_limit_micro_usd=100
    )
    assert held.default_prices == pb.DefaultPrices(output=1000)

    gone = pb.DeleteOverridesRequest(tenant=tenant.id, etag=put.overrides.etag)
    await accounts.stub.DeleteOverrides(gone, metadata=PLATFORM)
    assert (await accounts.limits(tenant.as_admin)).limits == made.limits
    missing = accounts.stub.GetOverrides(pb.GetOverridesRequest(), metadata=tenant.as_admin)
    assert (await refusal(missing)).reason == "NOT_FOUND"


async def test_members_see_their_own_limits_alone(accounts: Accounts, tenant: Tenant):
    member = await tenant.create_key(Role.ROLE_MEMBER)
    who = bearer(member.secret)

    mine = await accounts.limits(who)
    of_another = await refusal(accounts.limits(who, principal=tenant.principal))
    foreign = await tenant.gatekeeper.create_tenant()
    elsewhere = await refusal(accounts.limits(tenant.as_admin, tenant=foreign.id))

    assert mine.principal == member.api_key.principal.id
    assert (of_another.reason, elsewhere.reason) == ("FORBIDDEN", "FORBIDDEN")
    asked = await accounts.limits(tenant.as_admin, principal=mine.principal)
    assert asked == mine
