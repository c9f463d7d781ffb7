"""What `turnpike apply` says of plans, subscriptions and budgets before any suite is asked."""

from typing import Any

import pytest

from turnpike.cli.setup.account_specs import (
    BudgetSpec,
    PlanLimits,
    PlanSpec,
    SubscriptionSpec,
    TenantLimitsSpec,
)
from turnpike.cli.setup.documents import load_documents
from turnpike.cli.setup.mistakes import MistakesError
from turnpike.cli.setup.places import find_places

GOOD = """
kind: Budget
name: agent.helper.month
spec: {limit_micro_usd: 5000000}
---
kind: Subscription
name: acme
spec: {tenant: Acme Ltd., plan: team, ends: "2027-01-01T00:00:00Z"}
---
kind: TenantLimits
name: acme
spec: {tenant: Acme Ltd., limits: {slots: 3}}
---
kind: Plan
name: team
spec:
  tier: TEAM
  limits: {sync_per_minute: 300, slots: 20}
"""


class Suite:
    """A gateway that knows one tenant by its name."""

    def pages(self, path: str, plural: str, **_query: str) -> list[dict[str, Any]]:
        assert (path, plural) == ("/api/v1/tenants", "tenants")
        return [{"name": "Other", "id": "t-1"}, {"name": "Acme Ltd.", "id": "t-2"}]


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(MistakesError) as refusal:
        load_documents([("set-up.yaml", text)])
    return [str(mistake) for mistake in refusal.value.mistakes]


def test_a_plan_comes_before_who_is_on_it_and_before_its_budgets():
    documents = load_documents([("set-up.yaml", GOOD)])

    assert [document.kind for document in documents] == [
        "Plan",
        "Subscription",
        "TenantLimits",
        "Budget",
    ]
    assert [document.spec for document in documents] == [
        PlanSpec(tier="TEAM", limits=PlanLimits(sync_per_minute=300, slots=20)),
        SubscriptionSpec(tenant="Acme Ltd.", plan="team", ends="2027-01-01T00:00:00Z"),
        TenantLimitsSpec(tenant="Acme Ltd.", limits=PlanLimits(slots=3)),
        BudgetSpec(limit_micro_usd=5_000_000),
    ]


@pytest.mark.parametrize(
    ("good", "bad", "mistake"),
    [
        pytest.param(
            "slots: 20",
            "slot: 20",
            "set-up.yaml:18: document 4: Plan 'team': spec.limits.slot: is not known",
            id="a limit that is none",
        ),
        pytest.param(
            "limit_micro_usd: 5000000",
            "limit_micro_usd: -1",
            "set-up.yaml:4: document 1: Budget 'agent.helper.month': spec.limit_micro_usd: "
            "Input should be greater than or equal to 0",
            id="less than nothing",
        ),
        pytest.param(
            "plan: team, ",
            "",
            "set-up.yaml:8: document 2: Subscription 'acme': spec.plan: is missing",
            id="no plan",
        ),
        pytest.param(
            "name: agent.helper.month",
            "name: agent.helper",
            "set-up.yaml:3: document 1: Budget 'agent.helper': name: must say whose and when: "
            "`tenant`, `principal.ID`, `key.ID` or `agent.NAME`, then `.day`, `.month` or `.total`",
            id="a budget's name that is none",
        ),
        pytest.param(
            "name: team",
            "name: Team",
            "set-up.yaml:15: document 4: Plan 'Team': name: must begin with a small letter or a "
            "digit, and go on with at most 62 of those, '.', '_' and '-'",
            id="a plan's name that is none",
        ),
    ],
)
def test_a_mistake_names_file_line_document_and_field(good: str, bad: str, mistake: str):
    assert mistakes_in(GOOD.replace(good, bad)) == [mistake]


def test_a_tenant_is_found_by_its_name():
    documents = load_documents([("set-up.yaml", GOOD)])

    places = find_places(Suite(), documents)  # pyright: ignore[reportArgumentType] # all it asks

    assert places == {
        ("Plan", "team"): "/api/v1/plans/team",
        ("Subscription", "acme"): "/api/v1/subscriptions/t-2",
        ("TenantLimits", "acme"): "/api/v1/limits/t-2",
        ("Budget", "agent.helper.month"): "/api/v1/budgets/agent.helper.month",
    }


def test_a_tenant_that_is_none_is_a_mistake_of_its_document():
    documents = load_documents([("set-up.yaml", GOOD.replace("Acme Ltd.", "Acne"))])

    with pytest.raises(MistakesError) as refusal:
        find_places(Suite(), documents)  # pyright: ignore[reportArgumentType]

    assert [str(mistake) for mistake in refusal.value.mistakes] == [
        "set-up.yaml:8: document 2: Subscription 'acme': spec.tenant: there is no such tenant",
        "set-up.yaml:12: document 3: TenantLimits 'acme': spec.tenant: there is no such tenant",
    ]
