"""A change is obeyed by the very next admission, and a report tells what was settled, once."""

import random
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from tests.gatekeeper.accounts.callers import PLATFORM, Accounts
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as admission
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.errors import from_rpc_error
from turnpike.rpc.identity import bearer

# A dollar a million tokens each way: a token costs a micro-dollar.
DOLLAR = admission.ModelPrice(
    model="small", prices=admission.Prices(input=1_000_000, output=1_000_000)
)


def costing(tokens: int) -> dict[str, Any]:
    """Returns what makes a turn cost so many micro-dollars at most."""
    estimate = admission.Estimate(model="small", input_tokens=tokens, max_output_tokens=0)
    return {"estimate": estimate, "prices": [DOLLAR]}


async def outcome(tenant: Tenant, **turn: Any) -> str:
    """Returns `ADMITTED`, or the reason of the refusal."""
    try:
        await tenant.admit(tenant.turn(**turn))
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    return "ADMITTED"


async def test_the_next_admission_obeys_a_plans_new_rate(accounts: Accounts, tenant: Tenant):
    plan = await accounts.plan(sync_per_minute=1, sync_burst=1)
    await accounts.subscribe(tenant, plan.name)

    found = [await outcome(tenant), await outcome(tenant)]
    await accounts.plan(name=plan.name, sync_per_minute=1, sync_burst=3)
    found += [await outcome(tenant), await outcome(tenant), await outcome(tenant)]
    await accounts.plan(name=plan.name, sync_per_minute=1, sync_burst=2)
    found.append(await outcome(tenant))

    admitted, limited = "ADMITTED", "RATE_LIMITED"
    assert found == [admitted, limited, admitted, admitted, limited, limited]


async def test_the_next_admission_obeys_a_plans_new_cap(accounts: Accounts, tenant: Tenant):
    plan = await accounts.plan(monthly_limit_micro_usd=100)
    await accounts.subscribe(tenant, plan.name)

    found = [await outcome(tenant, **costing(500))]
    await accounts.plan(name=plan.name, monthly_limit_micro_usd=1000)
    found.append(await outcome(tenant, **costing(500)))
    await accounts.plan(name=plan.name, monthly_limit_micro_usd=600)
    found.append(await outcome(tenant, **costing(500)))

    assert found == ["BUDGET_EXHAUSTED", "ADMITTED", "BUDGET_EXHAUSTED"]


async def test_the_next_admission_obeys_subscriptions_overrides_and_budgets(
    accounts: Accounts, tenant: Tenant
):
    plan = await accounts.plan(monthly_limit_micro_usd=1)
    found = {"no plan": await outcome(tenant, **costing(500))}

    await accounts.subscribe(tenant, plan.name)
    found["plan"] = await outcome(tenant, **costing(500))
    overrides = pb.Overrides(tenant=tenant.id, limits=pb.Limits(monthly_limit_micro_usd=10_000))
    await accounts.stub.UpdateOverrides(
        pb.UpdateOverridesRequest(overrides=overrides, allow_missing=True), metadata=PLATFORM
    )
    found["overrides"] = await outcome(tenant, **costing(500))
    await accounts.budget(tenant, "agent.helper.day", 400)
    found["budget"] = await outcome(tenant, agent="helper", **costing(500))
    found["another agent"] = await outcome(tenant, agent="other", **costing(500))
    await accounts.stub.DeleteBudget(
        pb.DeleteBudgetRequest(name="agent.helper.day"), metadata=tenant.as_admin
    )
    found["no budget"] = await outcome(tenant, agent="helper", **costing(500))

    refused = {name for name, result in found.items() if result != "ADMITTED"}
    assert refused == {"plan", "budget"}


async def test_a_refusal_for_a_budget_is_listed_with_what_it_told(
    accounts: Accounts, tenant: Tenant
):
    await accounts.budget(tenant, "tenant.day", 10)
    turn = tenant.turn(agent="helper", **costing(500))
    told = await refusal(tenant.admit(turn))

    async def listed() -> bool:
        request = pb.ListRefusalsRequest(reason="BUDGET_EXHAUSTED")
        page = await accounts.stub.ListRefusals(request, metadata=tenant.as_admin)
        return [(each.turn, each.agent) for each in page.refusals] == [(turn.turn, "helper")]

    await until(listed)
    assert told.metadata["limit_micro_usd"] == "10"


def settlement(tenant: Tenant, turn: Any, snapshot: bytes, steps: list[int]) -> Any:
    """Returns what tells gatekeeper of some steps; step n cost 10 n micro-dollars."""
    usage = [
        admission.SettleRequest.Usage(
            step=step,
            attempt=1,
            kind=admission.USAGE_KIND_CHAT,
            model="small",
            input_tokens=6 * step,
            cached_tokens=step,
            output_tokens=4 * step,
            reasoning_tokens=2 * step,
            estimated=step % 2 == 0,
        )
        for step in steps
    ]
    return admission.SettleRequest(
        turn=turn.turn, tenant=tenant.id, segment=1, snapshot=snapshot, usage=usage
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_boundaries_replayed_in_any_order_are_reported_once(
    accounts: Accounts, tenant: Tenant, seed: int
):
    """Rows G14: late, repeated and shuffled settlements leave every total exact."""
    chance = random.Random(seed)
    member = await tenant.create_key(Role.ROLE_MEMBER)
    boundaries: list[Any] = []
    for n in range(4):
        mine = {"principal": member.api_key.principal.id} if n % 2 else {}
        turn = tenant.turn(agent=f"agent-{n}", **mine, **costing(1000))
        admitted = await tenant.admit(turn)
        for steps in ([1], [2, 3], [1, 2, 3], [4]):
            boundaries.append(settlement(tenant, turn, admitted.snapshot, steps))
    replayed = [*boundaries * 10]
    chance.shuffle(replayed)
    stub, runtime = tenant.gatekeeper.stub, tenant.gatekeeper.as_runtime

    for request in replayed:
        await stub.Settle(request, metadata=runtime)

    report = await accounts.report(tenant.as_admin, "principal", "agent")
    total = report.total
    assert (total.entries, total.cost_micro_usd) == (16, 400)
    assert (total.input_tokens, total.output_tokens) == (240, 160)
    assert (total.cached_tokens, total.reasoning_tokens) == (40, 80)
    assert (total.estimated.entries, total.estimated.cost_micro_usd) == (8, 240)
    assert {row.agent: row.sum.cost_micro_usd for row in report.rows} == {
        f"agent-{n}": 100 for n in range(4)
    }
    own = await accounts.report(bearer(member.secret))
    assert own.total.cost_micro_usd == 200


async def test_a_budget_tells_what_was_settled_and_a_report_the_same(
    accounts: Accounts, tenant: Tenant
):
    await accounts.budget(tenant, "tenant.month", 10_000)
    turn = tenant.turn(agent="helper", **costing(1000))
    admitted = await tenant.admit(turn)
    request = settlement(tenant, turn, admitted.snapshot, [1, 2])
    await tenant.gatekeeper.stub.Settle(request, metadata=tenant.gatekeeper.as_runtime)

    budget = await accounts.stub.GetBudget(
        pb.GetBudgetRequest(name="tenant.month"), metadata=tenant.as_admin
    )
    report = await accounts.report(tenant.as_admin, "day")

    assert budget.budget.spent_micro_usd == report.total.cost_micro_usd == 30
    assert [row.period.ToDatetime(UTC).date() for row in report.rows] == [datetime.now(UTC).date()]
