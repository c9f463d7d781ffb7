"""What callers set up and look up of plans, budgets and usage: one rpc each, both ways."""

from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
import pytest

from tests.gateway.upstream import CREATED, TIME, RefusedError, Upstream
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as gatekeeper_pb
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as usage_pb
from turnpike.rpc.errors import InvalidArgumentError

NO_LIMITS = dict.fromkeys(
    [
        *(
            f"{kind}_{what}"
            for kind in ("sync", "async", "api", "tokens")
            for what in ("per_minute", "burst")
        ),
        "slots",
        "monthly_limit_micro_usd",
    ]
)
PLAN = pb.Plan(name="pro", tier="TIER_PRO", limits=pb.Limits(slots=5), etag="e1", create_time=TIME)
PLAN_JSON = {
    "name": "pro",
    "tier": "PRO",
    "limits": {**NO_LIMITS, "slots": 5},
    "etag": "e1",
    "created": CREATED,
}
BUDGET = pb.Budget(
    name="tenant.month", limit_micro_usd=9, spent_micro_usd=4, etag="e2", create_time=TIME
)
BUDGET_JSON = {
    "name": "tenant.month",
    "limit_micro_usd": 9,
    "spent_micro_usd": 4,
    "resets": None,
    "etag": "e2",
    "created": CREATED,
}


@pytest.mark.parametrize(
    ("change", "status"),
    [("CHANGE_CREATED", 201), ("CHANGE_CHANGED", 200), ("CHANGE_UNCHANGED", 200)],
)
async def test_put_makes_a_plan_what_the_body_says(
    upstream: Upstream, client: httpx.AsyncClient, change: str, status: int
):
    upstream.other.answers["UpdatePlan"] = pb.UpdatePlanResponse(plan=PLAN, change=change)

    body = {"tier": "PRO", "limits": {"slots": 5}}
    response = await client.put("/api/v1/plans/pro", json=body)

    request = upstream.other.requests[0]
    assert (response.status_code, response.json()) == (status, PLAN_JSON)
    assert response.headers["etag"] == '"e1"'
    assert response.headers["x-turnpike-result"] == change.removeprefix("CHANGE_").lower()
    assert request.plan == pb.Plan(name="pro", tier="TIER_PRO", limits=pb.Limits(slots=5))
    assert request.allow_missing


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/plans/pro", {"tier": "PRO", "color": 1}, "color"),
        ("/plans/pro", {"tier": "GOLD"}, "tier"),
        ("/plans/pro", {"tier": "PRO", "limits": {"slots": 0}}, "limits.slots"),
        ("/plans/pro", {"tier": "PRO", "limits": {"slot": 1}}, "limits.slot"),
        ("/plans/pro", {"tier": "PRO", "name": "team"}, "name"),
        ("/subscriptions/t", {"plan": "pro", "status": "ENDED"}, "status"),
        ("/limits/t", {"limits": {"sync_per_minute": "60"}}, "limits.sync_per_minute"),
        ("/budgets/tenant.month", {}, "limit_micro_usd"),
        ("/budgets/tenant.month", {"limit_micro_usd": -1}, "limit_micro_usd"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_asked(
    upstream: Upstream, client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
):
    response = await client.put(f"/api/v1{path}", json=body)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert upstream.other.requests == []


async def test_if_match_binds_a_change(upstream: Upstream, client: httpx.AsyncClient):
    mismatch = RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "ETAG_MISMATCH")
    upstream.other.answers["UpdateBudget"] = mismatch
    upstream.other.answers["DeleteBudget"] = mismatch

    for response in (
        await client.put(
            "/api/v1/budgets/tenant.month",
            json={"limit_micro_usd": 9},
            headers={"if-match": '"e1"'},
        ),
        await client.delete("/api/v1/budgets/tenant.month", headers={"if-match": '"e1"'}),
    ):
        assert (response.status_code, response.json()["reason"]) == (412, "ETAG_MISMATCH")
    update, delete = upstream.other.requests
    assert (update.etag, update.allow_missing, delete.etag) == ("e1", False, "e1")


async def test_a_budget_above_what_was_given_is_told_by_its_field(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers["UpdateBudget"] = InvalidArgumentError(
        "budget.limit_micro_usd", "is above"
    )

    response = await client.put("/api/v1/budgets/tenant.day", json={"limit_micro_usd": 9})

    assert response.json()["errors"] == [{"field": "limit_micro_usd", "message": "is above"}]


async def test_budgets_are_looked_up(upstream: Upstream, client: httpx.AsyncClient):
    upstream.other.answers["GetBudget"] = pb.GetBudgetResponse(budget=BUDGET)
    upstream.other.answers["ListBudgets"] = pb.ListBudgetsResponse(
        budgets=[BUDGET], next_page_token="more"
    )

    one = await client.get("/api/v1/budgets/tenant.month")
    page = await client.get("/api/v1/budgets?page_size=1")

    assert (one.json(), one.headers["etag"]) == (BUDGET_JSON, '"e2"')
    assert page.json() == {"budgets": [BUDGET_JSON], "next_page_token": "more"}


@pytest.mark.parametrize(
    ("name", "tenant", "principal"), [("t-1", "t-1", ""), ("t-1.p-1", "t-1", "p-1")]
)
async def test_a_subscription_is_named_by_whose_it_is(
    upstream: Upstream, client: httpx.AsyncClient, name: str, tenant: str, principal: str
):
    made = pb.Subscription(
        id="s-1",
        tenant=tenant,
        principal=principal,
        plan="pro",
        status="SUBSCRIPTION_STATUS_PAST_DUE",
        start_time=TIME,
        etag="e3",
        create_time=TIME,
    )
    upstream.other.answers["UpdateSubscription"] = pb.UpdateSubscriptionResponse(
        subscription=made, change="CHANGE_CREATED"
    )
    upstream.other.answers["DeleteSubscription"] = pb.DeleteSubscriptionResponse()

    body = {"plan": "pro", "status": "PAST_DUE", "ends": "2026-12-01T02:00:00+02:00"}
    response = await client.put(f"/api/v1/subscriptions/{name}", json=body)
    deleted = await client.delete(f"/api/v1/subscriptions/{name}")

    wished, gone = upstream.other.requests
    assert response.status_code == 201
    assert response.json() == {
        "name": name,
        "id": "s-1",
        "tenant": tenant,
        "principal": principal,
        "plan": "pro",
        "status": "PAST_DUE",
        "starts": CREATED,
        "ends": None,
        "etag": "e3",
        "created": CREATED,
    }
    assert wished.subscription.end_time.ToDatetime(UTC) == datetime(2026, 12, 1, tzinfo=UTC)
    assert (deleted.status_code, gone.tenant, gone.principal) == (204, tenant, principal)


async def test_limits_are_told_and_given(upstream: Upstream, client: httpx.AsyncClient):
    upstream.other.answers["GetLimits"] = pb.GetLimitsResponse(
        tenant="t", plan="pro", tier="TIER_PRO", limits=pb.Limits(slots=5)
    )
    overrides = pb.Overrides(tenant="t", default_prices=pb.DefaultPrices(input=7), etag="e4")
    upstream.other.answers["UpdateOverrides"] = pb.UpdateOverridesResponse(
        overrides=overrides, change="CHANGE_CHANGED"
    )

    held = await client.get("/api/v1/limits?principal=p")
    put = await client.put("/api/v1/limits/t", json={"default_prices": {"input": 7}})

    assert held.json()["limits"] == {**NO_LIMITS, "slots": 5}
    assert (held.json()["tier"], held.json()["personal"]) == ("PRO", False)
    asked, wished = upstream.other.requests
    assert asked.principal == "p"
    assert wished.overrides.default_prices == pb.DefaultPrices(input=7)
    assert put.json()["default_prices"] == {"input": 7, "output": None}


async def test_refusals_are_listed(upstream: Upstream, client: httpx.AsyncClient):
    refused = pb.Refusal(
        turn="t", attempt=1, segment=1, principal="p", reason="BANNED", create_time=TIME
    )
    upstream.other.answers["ListRefusals"] = pb.ListRefusalsResponse(refusals=[refused])

    response = await client.get("/api/v1/refusals?reason=BANNED&page_size=3")

    request = upstream.other.requests[0]
    assert (request.reason, request.page_size) == ("BANNED", 3)
    (found,) = response.json()["refusals"]
    assert (found["turn"], found["reason"], found["created"]) == ("t", "BANNED", CREATED)


async def test_a_report_says_what_it_tells_apart(upstream: Upstream, client: httpx.AsyncClient):
    sum = usage_pb.UsageSum(
        entries=2, cost_micro_usd=9, estimated=usage_pb.UsagePart(entries=1, tokens=3)
    )
    upstream.other.answers["ReportUsage"] = usage_pb.ReportUsageResponse(
        rows=[usage_pb.UsageRow(agent="", period=TIME, sum=sum)],
        total=sum,
        from_time=TIME,
        to_time=TIME,
    )

    response = await client.get(
        "/api/v1/usage?by=agent,day&from=2026-01-01T00:00:00Z&to=2026-02-01T01:00:00%2B01:00"
        "&tz=Asia/Tokyo&tenant=-"
    )

    request = upstream.other.requests[0]
    assert list(request.by) == [3, 6]
    assert (request.filter.tenant, request.filter.time_zone) == ("-", "Asia/Tokyo")
    assert request.filter.to_time.ToDatetime(UTC) == datetime(2026, 2, 1, tzinfo=UTC)
    report = response.json()
    assert (report["from"], report["to"], report["next_page_token"]) == (CREATED, CREATED, "")
    (row,) = report["rows"]
    assert row["sum"] == report["total"]
    assert row["sum"]["estimated"] == {"entries": 1, "tokens": 3, "cost_micro_usd": 0}
    del row["sum"]
    assert row == {
        "tenant": None,
        "principal": None,
        "agent": "",
        "model": None,
        "period": CREATED,
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=color", "by"),
        ("from=yesterday", "from"),
        ("to=0001-01-01T00:00:00%2B14:00", "to"),
        ("page_size=0", "page_size"),
    ],
)
async def test_a_wrong_question_is_named(
    upstream: Upstream, client: httpx.AsyncClient, query: str, field: str
):
    response = await client.get(f"/api/v1/usage?{query}")

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_service_names_what_was_asked_wrongly_as_callers_know_it(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers["ReportUsage"] = InvalidArgumentError("filter.time_zone", "is none")

    response = await client.get("/api/v1/usage?tz=Mars/One")

    assert response.json()["errors"] == [{"field": "tz", "message": "is none"}]


async def test_entries_are_lines_of_the_ledger(upstream: Upstream, client: httpx.AsyncClient):
    entry = usage_pb.UsageEntry(
        turn="t",
        step=1,
        attempt=1,
        kind=gatekeeper_pb.USAGE_KIND_CHAT,
        cost_micro_usd=3,
        default_priced=True,
        create_time=TIME,
    )
    upstream.other.answers["ListUsage"] = usage_pb.ListUsageResponse(
        entries=[entry], next_page_token="more"
    )

    response = await client.get("/api/v1/usage/entries?turn=t")

    assert upstream.other.requests[0].turn == "t"
    page = response.json()
    assert page["next_page_token"] == "more"
    (found,) = page["entries"]
    assert (found["kind"], found["default_priced"], found["created"]) == ("CHAT", True, CREATED)
