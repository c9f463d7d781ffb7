"""What is refused of decisions, with everything that is wrong; nothing runs then."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.agent_runtime.approvals.asking import (
    ASKS,
    FIRST,
    answered,
    approval_of,
    decide,
    let_pass,
    paused,
    refused,
    said,
    waiting,
)
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, begin, cancel
from tests.waiting import until
from turnpike.api.agent_runtime.v1.approval_pb2 import ApprovalRules, Decision
from turnpike.api.agent_runtime.v1.policy_pb2 import TenantPolicy
from turnpike.api.agent_runtime.v1.policy_service_pb2 import UpdatePolicyRequest
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus

OTHER = "call_1_1"


@pytest.mark.parametrize(
    ("decisions", "fields"),
    [
        pytest.param([said("approve")], ["decisions"], id="missing"),
        pytest.param(
            [said("approve"), said("approve", "call_9_9"), said("approve", OTHER)],
            ["decisions[1].call_id"],
            id="foreign",
        ),
        pytest.param(
            [said("approve"), said("reject"), said("approve", OTHER)],
            ["decisions[1].call_id"],
            id="duplicate",
        ),
        pytest.param(
            [Decision(call_id=FIRST), said("answer", OTHER, text="yes")],
            ["decisions[0].kind", "decisions[1].kind"],
            id="unknown-and-disallowed",
        ),
        pytest.param(
            [said("edit", arguments="[1]"), said("edit", OTHER, arguments='{"tag": 7}')],
            ["decisions[0].arguments", "decisions[1].arguments"],
            id="no-object-and-against-the-schema",
        ),
        pytest.param(
            [said("edit"), said("respond", OTHER, text="  ")],
            ["decisions[0].arguments", "decisions[1].text"],
            id="nothing-to-run-with",
        ),
        pytest.param(
            [said("approve", text="x"), said("approve_always", OTHER, scope='{"/tag": "*"}')],
            ["decisions[0].text", "decisions[1].scope"],
            id="superfluous-and-everything",
        ),
    ],
)
async def test_a_bad_body_is_refused_as_a_whole_whatever_the_state(
    tenant: Tenant,
    provider: Provider,
    tools: Tools,
    decisions: list[Decision],
    fields: list[str],
):
    await tools.offer(tenant, **ASKS)
    names = ("effects__transfer", "effects__transfer")
    turn = await paused(tenant, provider, *names, arguments='{"tag": "refused"}')

    before = await refused(tenant, turn.approval.id, *decisions)
    assert (await tenant.turn(turn.id)).waiting_for == "approval"
    await cancel(tenant, turn.id)
    after = await refused(tenant, turn.approval.id, *decisions)

    assert [field for field, _ in before.fields] == [field for field, _ in after.fields] == fields
    assert before.reason == after.reason == "INVALID_ARGUMENT"
    assert tools.effects("refused") == 0


async def test_who_decides_later_learns_who_did_and_when_and_only_the_same_key_is_answered(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "once"}')
    first = await decide(tenant, turn.approval.id, said("approve"), request_id="k1")

    again = await decide(tenant, turn.approval.id, said("approve"), request_id="k1")
    other = await refused(tenant, turn.approval.id, said("reject"), request_id="k1")
    late = await refused(tenant, turn.approval.id, said("approve"), request_id="k2")
    await answered(tenant, provider, turn.id)
    later = await refused(tenant, turn.approval.id, said("approve"))

    assert again == first
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"
    assert late.reason == later.reason == "APPROVAL_DECIDED"
    assert late.metadata["decided_by"] == tenant.made.principal
    decided = first.decide_time.ToDatetime(UTC)
    assert datetime.fromisoformat(late.metadata["decided_at"]) == decided
    assert tools.effects("once") == 1


async def test_somebody_else_s_does_not_exist_and_who_is_not_asked_may_not(
    tenant: Tenant, provider: Provider, tools: Tools
):
    named = tenant.somebody(principal="11111111-1111-4111-8111-111111111111")
    rules = {
        "approvers": ["11111111-1111-4111-8111-111111111111"],
        "exclude_requester": True,
    }
    await tools.offer(tenant, **ASKS, approvals=rules)
    turn = await paused(tenant, provider, arguments='{"tag": "named"}')

    stranger = await refused(tenant, turn.approval.id, said("approve"), by=tenant.somebody())
    requester = await refused(tenant, turn.approval.id, said("approve"))
    viewer = tenant.somebody("viewer", "11111111-1111-4111-8111-111111111111")
    reading = await refused(tenant, turn.approval.id, said("approve"), by=viewer)
    assert (stranger.reason, requester.reason, reading.reason) == (
        "NOT_FOUND",
        "FORBIDDEN",
        "FORBIDDEN",
    )
    await decide(tenant, turn.approval.id, said("approve"), by=named)
    await answered(tenant, provider, turn.id)
    assert tools.effects("named") == 1


async def test_two_of_three_must_say_the_same_and_one_may_reject(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS, approvals={"roles": ["member", "admin"], "quorum": 2})
    turn = await paused(tenant, provider, arguments='{"tag": "quorum"}')
    one, two, three = (tenant.somebody() for _ in range(3))

    await decide(tenant, turn.approval.id, said("approve"), by=one)
    twice = await refused(tenant, turn.approval.id, said("approve"), by=one)
    await decide(tenant, turn.approval.id, said("edit", arguments='{"tag": "other"}'), by=two)
    assert twice.reason == "APPROVAL_DECIDED"
    assert (await waiting(tenant, turn.id)).approval.id == turn.approval.id
    await decide(tenant, turn.approval.id, said("approve"), by=three)
    await answered(tenant, provider, turn.id)
    assert (tools.effects("quorum"), tools.effects("other")) == (1, 0)

    turn = await paused(tenant, provider, arguments='{"tag": "vetoed"}')
    await decide(tenant, turn.approval.id, said("reject"), by=one)
    await answered(tenant, provider, turn.id)
    assert tools.effects("vetoed") == 0


async def test_one_at_a_time_where_the_agent_takes_it_so(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS, approvals={"incremental": True})
    names = ("effects__transfer", "effects__transfer")
    turn = await paused(tenant, provider, *names, arguments='{"tag": "one by one"}')

    await decide(tenant, turn.approval.id, said("approve", OTHER))
    again = await refused(tenant, turn.approval.id, said("reject", OTHER))
    assert again.reason == "APPROVAL_DECIDED"
    assert tools.effects("one by one") == 0
    await decide(tenant, turn.approval.id, said("approve"))
    await answered(tenant, provider, turn.id)
    assert tools.effects("one by one") == 2


async def test_cancelling_ends_the_turn_and_its_approval(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "cancelled"}')
    ended = await cancel(tenant, turn.id)
    late = await refused(tenant, turn.approval.id, said("approve"))

    assert ended.status == TurnStatus.TURN_STATUS_CANCELLED
    assert (late.reason, late.metadata["status"]) == ("APPROVAL_CLOSED", "CANCELLED")
    assert tools.effects("cancelled") == 0


async def test_a_day_later_the_turn_has_ended_and_a_decision_is_too_late(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "late"}')
    await let_pass(world, turn.id, 23.9)
    assert (await tenant.turn(turn.id)).waiting_for == "approval"
    await let_pass(world, turn.id, 0.2)
    late = await refused(tenant, turn.approval.id, said("approve"))
    ended = await tenant.ended(turn.id)

    assert (late.reason, late.metadata["status"]) == ("APPROVAL_CLOSED", "EXPIRED")
    assert ended.status == TurnStatus.TURN_STATUS_EXPIRED
    assert ended.error.reason == "APPROVAL_EXPIRED"
    assert tools.effects("late") == 0


async def test_expiry_may_reject_and_the_turn_goes_on(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    rules = {"on_expiry": "EXPIRY_ACTION_REJECT", "expires_after": {"seconds": 3600}}
    await tools.offer(tenant, **ASKS, approvals=rules)
    turn = await paused(tenant, provider, arguments='{"tag": "unheard"}')
    await let_pass(world, turn.id, 1)
    ended, ask = await answered(tenant, provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert "Nobody decided in time" in ask.prompt[-1][1]
    assert tools.effects("unheard") == 0


async def test_expiry_may_ask_others_once(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    rules = {"on_expiry": "EXPIRY_ACTION_ESCALATE", "approvers": [tenant.made.principal]}
    chief = "22222222-2222-4222-8222-222222222222"
    await tools.offer(tenant, **ASKS, approvals={**rules, "escalate_to": [chief]})
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__transfer", arguments='{"tag": "escalated"}')
    asked = (await waiting(tenant, turn.id)).approval
    by = tenant.somebody(principal=chief)
    assert (await refused(tenant, asked.id, said("approve"), by=by)).reason == "NOT_FOUND"
    await let_pass(world, turn.id, 25)

    async def escalated() -> bool:
        return (await tenant.turn(turn.id)).approval.escalated

    await until(escalated)
    assert (await refused(tenant, asked.id, said("approve"))).reason == "FORBIDDEN"
    await decide(tenant, asked.id, said("approve"), by=by)
    await answered(tenant, provider, turn.id)
    assert tools.effects("escalated") == 1


async def test_where_an_agent_says_nothing_the_tenant_says_who_decides_and_for_how_long(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    rules: dict[str, Any] = {"roles": ["admin"], "exclude_requester": True}
    rules |= {"on_expiry": "EXPIRY_ACTION_REJECT", "expires_after": {"seconds": 1800}}
    await tools.offer(tenant, **ASKS)
    before = await paused(tenant, provider)
    said_by_tenant = TenantPolicy(approvals=ApprovalRules(**rules))
    made = await tenant.runtime.policies.UpdatePolicy(
        UpdatePolicyRequest(tenant=said_by_tenant), metadata=tenant.admin
    )
    turn = await paused(tenant, provider, arguments='{"tag": "by-tenant"}')
    of_agent = {"expires_after": {"seconds": 3600}}
    await tenant.agent(tools=["effects/*"], **ASKS, approvals=of_agent)
    other = await paused(tenant, provider)

    assert made.version.tenant.approvals.expires_after.seconds == 1800
    # An agent that says something is not overridden, nor is what was asked before.
    asked = [await approval_of(tenant, each.approval.id) for each in (before, turn, other)]
    spans = [each.expire_time.seconds - each.create_time.seconds for each in asked]
    assert [round(each / 60) for each in spans] == [24 * 60, 30, 60]
    assert (await refused(tenant, turn.approval.id, said("approve"))).reason == "FORBIDDEN"
    await let_pass(world, turn.id, 0.5)
    _, told_to_model = await answered(tenant, provider, turn.id)
    assert "Nobody decided in time" in told_to_model.prompt[-1][1]
    assert tools.effects("by-tenant") == 0
