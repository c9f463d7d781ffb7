"""Pausing and deciding: a call that somebody is asked about runs once, as it was approved."""

from tests.agent_runtime.approvals.asking import (
    ASKS,
    FIRST,
    answered,
    approval_of,
    decide,
    paused,
    said,
    told,
    waiting,
)
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, begin, kinds, watching
from turnpike.api.agent_runtime.v1.approval_pb2 import ApprovalStatus
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus


def outcomes(turn: Turn) -> list[str]:
    return [ToolOutcome.Name(call.outcome).removeprefix("TOOL_OUTCOME_") for call in turn.calls]


async def test_an_approved_call_runs_once_and_its_turn_goes_on(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.ask_for("effects__transfer", arguments='{"tag": "approved"}')
        await reader.until(lambda each: "approval_required" in kinds(each.events))
        asked = reader.events[-1].approval_required

        # Durable before it is seen, without an owner.
        row = await world.row(turn.id)
        assert (row["status"], row["waiting_for"], row["owner"]) == ("WAITING", "approval", None)
        assert tools.effects("approved") == 0
        call = asked.calls[0]
        assert (call.call_id, call.name) == (FIRST, "effects/transfer")
        assert call.arguments == '{"tag": "approved"}'
        assert "policy asks" in call.reason
        await decide(tenant, asked.approval, said("approve"))
        (await provider.asked()).answer("done")
        events = await reader.ends()

    assert tools.effects("approved") == 1
    seen = kinds(events)
    assert seen[seen.index("approval_required") :][:5] == [
        "approval_required",
        "approval_decided",
        "tool_started",
        "tool_finished",
        "step_started",
    ]
    assert seen[-1] == "turn_finished"
    # Whatever a person decided, the log is whole: each number once.
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    decided = await approval_of(tenant, asked.approval)
    assert decided.status == ApprovalStatus.APPROVAL_STATUS_DECIDED
    assert decided.decided_by == tenant.made.principal


async def test_calls_that_need_nobody_run_and_those_that_do_are_one_approval(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, policy={"ask": ["effects/transfer"]})
    turn, ask = await begin(tenant, provider)
    ask.call("effects__transfer", '{"tag": "one"}', index=0)
    ask.call("effects__echo", '{"quick": true}', index=1)
    ask.call("effects__transfer", '{"tag": "two"}', index=2)
    ask.end(reason="tool_calls")
    found = await waiting(tenant, turn.id)

    assert outcomes(found) == ["UNSPECIFIED", "OK", "UNSPECIFIED"]
    assert [each.call_id for each in found.approval.calls] == ["call_1_0", "call_1_2"]
    await decide(tenant, found.approval.id, said("reject"), said("approve", "call_1_2"))
    ended, ask = await answered(tenant, provider, turn.id)

    assert outcomes(ended) == ["REJECTED", "OK", "OK"]
    assert (tools.effects("one"), tools.effects("two")) == (0, 1)
    assert told(ask)[1:] == ['{"quick":true}', "done two"]


async def test_h7_feedback_reaches_the_model_and_the_call_does_not_run(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "refused"}')
    await decide(tenant, turn.approval.id, said("reject", feedback="not on a Friday"))
    ended, ask = await answered(tenant, provider, turn.id)

    assert outcomes(ended) == ["REJECTED"]
    assert tools.effects("refused") == 0
    assert "not on a Friday" in told(ask)[0]


async def test_edited_arguments_run_and_the_model_is_told(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "before"}')
    await decide(tenant, turn.approval.id, said("edit", arguments='{"tag": "after"}'))
    ended, ask = await answered(tenant, provider, turn.id)

    assert (tools.effects("before"), tools.effects("after")) == (0, 1)
    assert told(ask)[0] == 'A person changed the arguments to {"tag": "after"}\ndone after'
    # What the model wrote stays as it wrote it.
    assert ended.calls[0].arguments == '{"tag": "before"}'


async def test_a_response_stands_for_the_result(tenant: Tenant, provider: Provider, tools: Tools):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "responded"}')
    await decide(tenant, turn.approval.id, said("respond", text="it is done by hand"))
    ended, ask = await answered(tenant, provider, turn.id)

    assert (outcomes(ended), told(ask)) == (["OK"], ["it is done by hand"])
    assert tools.effects("responded") == 0


async def test_a_turn_that_waits_shows_what_for_and_holds_no_slot(
    world: World, provider: Provider, tools: Tools, here: Served
):
    tenant = await world.tenant(here, slots=1)
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "slot"}')
    # The tenant's only slot is free.
    other, ask = await begin(tenant, provider)
    ask.answer("meanwhile")
    await tenant.ended(other.id)

    assert turn.status == TurnStatus.TURN_STATUS_WAITING
    assert turn.approval.calls[0].arguments == '{"tag": "slot"}'
    await decide(tenant, turn.approval.id, said("approve"))
    ended, _ = await answered(tenant, provider, turn.id)
    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert not ended.HasField("approval")
