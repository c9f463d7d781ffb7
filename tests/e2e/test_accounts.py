"""Plans, budgets and usage, by the REST contract and the command line, over the whole suite."""

import json
from typing import Any

import pytest

from tests.e2e.edge import Edge, RefusedError
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike

DOCUMENTS = """
kind: Plan
name: {name}
spec:
  tier: TEAM
  limits: {{sync_per_minute: 6000, monthly_limit_micro_usd: 5000000}}
---
kind: Subscription
name: {name}
spec: {{tenant: {tenant}, plan: {name}}}
---
kind: TenantLimits
name: {name}
spec: {{tenant: {tenant}, limits: {{slots: 3}}, default_prices: {{input: 7}}}}
---
kind: Budget
name: agent.{name}.month
spec: {{limit_micro_usd: 1000000}}
"""


async def tenant_of(edge: Edge) -> str:
    """Returns the id of a caller's tenant."""
    limits = await edge.call("GET", "/limits")
    return limits["tenant"]


async def test_a_file_gives_a_tenant_its_plan_once(suite: Suite, edge: Edge, stranger: Edge):
    tenant = await tenant_of(stranger)
    text = DOCUMENTS.format(name="plan-of-a-file", tenant=tenant)

    first = await turnpike(suite, "apply", "-f", "-", given=text)
    again = await turnpike(suite, "apply", "-f", "-", given=text)

    assert (first[0], again[0]) == (0, 0), first[2] + again[2]
    assert [line.rpartition(": ")[2] for line in first[1].splitlines()] == ["created"] * 4
    assert [line.rpartition(": ")[2] for line in again[1].splitlines()] == ["unchanged"] * 4
    held = await stranger.call("GET", "/limits")
    assert (held["plan"], held["tier"]) == ("plan-of-a-file", "TEAM")
    assert (held["limits"]["sync_per_minute"], held["limits"]["slots"]) == (6000, 3)
    assert held["default_prices"]["input"] == 7
    await edge.call("DELETE", f"/limits/{tenant}")
    await edge.call("DELETE", "/budgets/agent.plan-of-a-file.month")


async def test_the_command_line_shows_budgets_and_plans(suite: Suite, edge: Edge):
    name = "agent.shown-by-the-command-line.day"

    made = await turnpike(suite, "budgets", "set", name, "5", "--json")
    listed = await turnpike(suite, "budgets", "list")
    gone = await turnpike(suite, "budgets", "delete", name)
    held = await turnpike(suite, "plans", "limits")

    assert made[0] == 0, made[2]
    assert json.loads(made[1])["limit_micro_usd"] == 5
    assert f"{name}  0 of 5 micro-dollars  until " in listed[1]
    assert gone[:2] == (0, f"deleted {name}\n")
    assert held[1].startswith("no plan  slots=64")


async def test_the_command_line_gives_a_tenant_limits_of_its_own(suite: Suite, stranger: Edge):
    tenant = await tenant_of(stranger)
    before = (await stranger.call("GET", "/limits"))["limits"]

    given = await turnpike(
        suite, "plans", "override", tenant, "slots=3", "default_prices.output=9", "--json"
    )
    held = await stranger.call("GET", "/limits")
    wrong = await turnpike(suite, "plans", "override", tenant, "slot=3")
    nothing = await turnpike(suite, "plans", "override", tenant, "slots")
    restored = await turnpike(suite, "plans", "restore", tenant)

    assert given[0] == 0, given[2]
    assert json.loads(given[1])["limits"]["slots"] == 3
    assert held["limits"] == {**before, "slots": 3}
    assert held["default_prices"]["output"] == 9
    assert (wrong[0], nothing[0]) == (1, 1)
    assert "slot" in wrong[2]
    assert "'slots' is no NAME=NUMBER" in nothing[2]
    assert restored[:2] == (0, f"restored {tenant}\n")
    assert (await stranger.call("GET", "/limits"))["limits"] == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/plans/free-for-all", {"tier": "ENTERPRISE"}),
        ("DELETE", "/plans/free-for-all", None),
        ("PUT", "/subscriptions/{tenant}", {"plan": "free-for-all"}),
        ("GET", "/subscriptions/{tenant}", None),
        ("GET", "/subscriptions?tenant={tenant}", None),
        ("DELETE", "/subscriptions/{tenant}", None),
        ("GET", "/limits?tenant={tenant}", None),
        ("GET", "/limits/{tenant}", None),
        ("PUT", "/limits/{tenant}", {"limits": {"slots": 1000}}),
        ("DELETE", "/limits/{tenant}", None),
        ("GET", "/usage?tenant={tenant}", None),
        ("GET", "/usage?tenant=-", None),
        ("GET", "/usage/entries?tenant={tenant}", None),
    ],
)
async def test_a_tenants_admin_is_not_the_platform(
    edge: Edge, stranger: Edge, method: str, path: str, body: Any
):
    ours = path.format(tenant=await tenant_of(edge))

    with pytest.raises(RefusedError) as refusal:
        await stranger.call(method, ours, body)

    assert (refusal.value.status, refusal.value.reason) == (403, "FORBIDDEN")
