"""What a tenant's admins may rely on who keep its budgets."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest

from tests.gatekeeper.accounts.callers import Accounts
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb


async def names(accounts: Accounts, tenant: Tenant, **page: Any) -> list[str]:
    request = pb.ListBudgetsRequest(**page)
    listed = await accounts.stub.ListBudgets(request, metadata=tenant.as_admin)
    return [budget.name for budget in listed.budgets]


async def test_a_budget_is_known_by_whose_and_when(accounts: Accounts, tenant: Tenant):
    mine = f"principal.{tenant.principal}.day"
    key = f"key.{tenant.made.api_key.id}.total"
    wished = ["agent.a.helper.month", key, mine, "tenant.day", "tenant.month"]

    for name in reversed(wished):
        made = await accounts.budget(tenant, name, 5)
        assert (made.name, made.limit_micro_usd, made.spent_micro_usd) == (name, 5, 0)

    assert await names(accounts, tenant) == wished
    listed = await accounts.stub.ListBudgets(
        pb.ListBudgetsRequest(page_size=2), metadata=tenant.as_admin
    )
    assert await names(accounts, tenant, page_token=listed.next_page_token) == wished[2:]


@pytest.mark.parametrize(
    "name",
    ["", "tenant", "tenant.year", "helper.month", "agent..day", "tenant.day\n"],
    ids=["empty", "no-period", "period", "whose", "nobody", "line"],
)
async def test_a_wrong_name_is_refused_with_what_a_right_one_says(
    accounts: Accounts, tenant: Tenant, name: str
):
    refused = await refusal(accounts.budget(tenant, name, 5))

    ((field, said),) = refused.fields
    assert (refused.code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "budget.name")
    assert "`agent.NAME`" in said
    assert "^" not in said


async def test_an_id_in_a_budgets_name_is_told_apart_by_what_it_is(
    accounts: Accounts, tenant: Tenant
):
    loud = f"principal.{tenant.principal.upper()}.day"

    first = await accounts.budget(tenant, loud, 5)
    again = await accounts.budget(tenant, first.name, 5)

    assert first == again
    assert await names(accounts, tenant) == [f"principal.{tenant.principal}.day"]


async def test_a_budget_tells_what_is_spent_and_when_it_begins_anew(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    await superuser.execute(
        "INSERT INTO counters SELECT $1, 'tenant', '', p, period_start(p, now()), 42"
        " FROM unnest(ARRAY['day', 'month', 'total']) p",
        tenant.id,
    )
    now = datetime.now(UTC)

    month = await accounts.budget(tenant, "tenant.month", 100)
    total = await accounts.budget(tenant, "tenant.total", 100)
    of_agent = await accounts.budget(tenant, "agent.helper.month", 100)

    assert (month.spent_micro_usd, total.spent_micro_usd) == (42, 42)
    assert of_agent.spent_micro_usd == 0
    assert not total.HasField("reset_time")
    resets = month.reset_time.ToDatetime(UTC)
    assert resets > now and (resets.day, resets.hour, resets.minute) == (1, 0, 0)


async def test_spending_changes_no_etag_and_another_limit_does(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    made = await accounts.budget(tenant, "tenant.month", 100)
    await superuser.execute(
        "INSERT INTO counters VALUES ($1, 'tenant', '', 'month', period_start('month', now()), 1)",
        tenant.id,
    )

    spent = await accounts.budget(tenant, "tenant.month", 100)
    raised = await accounts.budget(tenant, "tenant.month", 101)

    assert (spent.etag, spent.spent_micro_usd) == (made.etag, 1)
    assert raised.etag != made.etag
    late = pb.DeleteBudgetRequest(name=made.name, etag=made.etag)
    call = accounts.stub.DeleteBudget(late, metadata=tenant.as_admin)
    assert (await refusal(call)).reason == "ETAG_MISMATCH"
    await accounts.stub.DeleteBudget(
        pb.DeleteBudgetRequest(name=made.name), metadata=tenant.as_admin
    )
    assert await names(accounts, tenant) == []


@pytest.mark.parametrize("period", ["day", "month"])
async def test_a_tenant_gives_itself_no_more_than_it_was_given(
    accounts: Accounts, tenant: Tenant, period: str
):
    plan = await accounts.plan(monthly_limit_micro_usd=1000)
    await accounts.subscribe(tenant, plan.name)

    above = await refusal(accounts.budget(tenant, f"tenant.{period}", 1001))
    within = await accounts.budget(tenant, f"tenant.{period}", 1000)
    all_time = await accounts.budget(tenant, "tenant.total", 1_000_000)

    assert [path for path, _ in above.fields] == ["budget.limit_micro_usd"]
    assert (within.limit_micro_usd, all_time.limit_micro_usd) == (1000, 1_000_000)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f"principal.{UUID(int=1)}.day", id="nobody"),
        pytest.param(f"key.{UUID(int=1)}.day", id="no key"),
        pytest.param("principal.helper.day", id="no id"),
        pytest.param("tenant.x.day", id="a part too many"),
        pytest.param("tenant.week", id="no period"),
        pytest.param("agent.month", id="no agent"),
        pytest.param("", id="no name"),
    ],
)
async def test_a_budget_is_somebodys(accounts: Accounts, tenant: Tenant, name: str):
    found = await refusal(accounts.budget(tenant, name, 1))

    assert [path for path, _ in found.fields] == ["budget.name"]
    missing = accounts.stub.GetBudget(pb.GetBudgetRequest(name=name), metadata=tenant.as_admin)
    assert (await refusal(missing)).reason == "NOT_FOUND"


async def test_a_budget_for_somebody_elsewhere_is_for_nobody(accounts: Accounts, tenant: Tenant):
    theirs = await tenant.gatekeeper.create_tenant()

    found = await refusal(accounts.budget(tenant, f"principal.{theirs.principal}.day", 1))

    assert [path for path, _ in found.fields] == ["budget.name"]
