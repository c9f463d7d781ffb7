"""What skills say of calls: from the step that loads one to its thread's end, and only tighter."""

import json
from typing import Any
from uuid import UUID

import orjson
import pytest
from grpc import StatusCode

from tests.agent_runtime.approvals.asking import answered, decide, said, told, waiting
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.skills.keeping import delete_skill, put_skill, rule, skill
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, begin
from tests.waiting import refusal
from turnpike.api.agent_runtime.v1 import audit_service_pb2
from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn

LOAD, TRANSFER = "turnpike__load_skill", "effects__transfer"
CAREFUL = json.dumps({"name": "careful"})


def outcomes(turn: Turn) -> list[str]:
    return [ToolOutcome.Name(call.outcome).removeprefix("TOOL_OUTCOME_") for call in turn.calls]


def tag(name: str) -> str:
    return json.dumps({"tag": name})


@pytest.fixture
async def tenant(world: World, here: Served, tools: Tools) -> Tenant:
    """A tenant whose agent may do all, and has a skill."""
    return await skilled(world, here, tools)


async def skilled(world: World, served: Served, tools: Tools) -> Tenant:
    tenant = await world.tenant(served)
    await put_skill(tenant, skill(rules=[rule(tag="careful*")]))
    await tools.offer(tenant, skills=["careful"])
    return tenant


async def loaded(tenant: Tenant, provider: Provider, **fields: Any) -> tuple[Turn, Ask]:
    """Starts a turn that loads the skill; returns it with its next model call."""
    turn, ask = await begin(tenant, provider, **fields)
    ask.ask_for(LOAD, arguments=CAREFUL)
    return turn, await provider.asked()


async def test_a_rule_holds_from_the_loading_to_the_thread_s_end(
    tenant: Tenant, provider: Provider, tools: Tools
):
    turn, ask = await begin(tenant, provider)
    ask.ask_for(TRANSFER, arguments=tag("careful-before"))
    (await provider.asked()).ask_for(LOAD, arguments=CAREFUL)
    (await provider.asked()).ask_for(TRANSFER, arguments=tag("careful-after"))
    (await provider.asked()).ask_for(TRANSFER, arguments=tag("other"))
    ended, last = await answered(tenant, provider, turn.id)
    # Its own agent, or another one that has no such skill: what was said is in the thread.
    await tools.offer(tenant, skills=[])
    later, ask = await begin(tenant, provider, thread=turn.thread)
    ask.ask_for(TRANSFER, arguments=tag("careful-later"))
    later, _ = await answered(tenant, provider, later.id)
    elsewhere, ask = await begin(tenant, provider)
    ask.ask_for(TRANSFER, arguments=tag("careful-elsewhere"))
    elsewhere, _ = await answered(tenant, provider, elsewhere.id)

    assert outcomes(ended) == ["OK", "OK", "DENIED", "OK"]
    assert "the skill 'careful' denies 'effects/transfer': careful" in told(last)[2]
    assert (outcomes(later), outcomes(elsewhere)) == (["DENIED"], ["OK"])
    tags = ["before", "after", "later", "elsewhere"]
    assert [tools.effects(f"careful-{each}") for each in tags] == [1, 0, 0, 1]


async def test_calls_beside_the_one_that_loads_are_judged_by_it(
    tenant: Tenant, provider: Provider, tools: Tools
):
    """They run side by side: the order in which a model wrote them is none."""
    turn, ask = await begin(tenant, provider)
    ask.call(TRANSFER, tag("careful-beside"))
    ask.call(LOAD, CAREFUL, index=1)
    ask.end(reason="tool_calls")
    ended, _ = await answered(tenant, provider, turn.id)

    assert outcomes(ended) == ["DENIED", "OK"]
    assert tools.effects("careful-beside") == 0


async def test_a_skill_that_policy_keeps_from_being_loaded_says_nothing(
    tenant: Tenant, provider: Provider, tools: Tools
):
    policy = {"allow": ["*/*"], "deny": ["turnpike/load_skill"]}
    await tools.offer(tenant, skills=["careful"], policy=policy)
    turn, ask = await loaded(tenant, provider)
    ask.ask_for(TRANSFER, arguments=tag("careful-not"))
    ended, _ = await answered(tenant, provider, turn.id)

    assert outcomes(ended) == ["DENIED", "OK"]


async def paused(tenant: Tenant, provider: Provider, name: str) -> Turn:
    """Returns a turn that waits, since the skill that it loaded asks."""
    await put_skill(tenant, skill(rules=[rule("ASK", "one")]))
    turn, ask = await loaded(tenant, provider)
    ask.ask_for(TRANSFER, arguments=tag(name))
    return await waiting(tenant, turn.id)


async def test_a_skill_that_is_tightened_while_somebody_decides_is_asked_about_again(
    tenant: Tenant, provider: Provider, tools: Tools
):
    turn = await paused(tenant, provider, "again")
    await put_skill(tenant, skill(rules=[rule("ASK", "two")]))
    await decide(tenant, turn.approval.id, said("approve", "call_2_0"))
    again = await waiting(tenant, turn.id)
    before = tools.effects("again")
    await decide(tenant, again.approval.id, said("approve", "call_2_0"))
    ended, _ = await answered(tenant, provider, turn.id)

    reasons = [each.approval.calls[0].reason for each in (turn, again)]
    assert [reason.rpartition(": ")[2] for reason in reasons] == ["one", "two"]
    assert turn.approval.id != again.approval.id
    assert (before, tools.effects("again"), outcomes(ended)) == (0, 1, ["OK", "OK"])


async def test_a_skill_that_denies_by_now_denies_what_was_approved(
    tenant: Tenant, provider: Provider, tools: Tools
):
    turn = await paused(tenant, provider, "denied")
    await put_skill(tenant, skill(rules=[rule("DENY", "two")]))
    await decide(tenant, turn.approval.id, said("approve", "call_2_0"))
    ended, _ = await answered(tenant, provider, turn.id)

    assert (tools.effects("denied"), outcomes(ended)) == (0, ["OK", "DENIED"])


async def test_a_skill_that_is_loosened_or_deleted_meanwhile_holds_as_it_was_loaded(
    tenant: Tenant, provider: Provider, tools: Tools
):
    turn = await paused(tenant, provider, "kept")
    await put_skill(tenant, skill())
    await tenant.agent()
    await delete_skill(tenant)
    await decide(tenant, turn.approval.id, said("approve", "call_2_0"))
    (await provider.asked()).ask_for(TRANSFER, arguments=tag("more"))
    again = await waiting(tenant, turn.id)
    await decide(tenant, again.approval.id, said("reject", "call_3_0"))
    ended, _ = await answered(tenant, provider, turn.id)

    assert outcomes(ended) == ["OK", "OK", "REJECTED"]
    assert (tools.effects("kept"), tools.effects("more")) == (1, 0)


async def test_what_was_loaded_holds_for_whoever_takes_the_turn_over(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as first, world.replica():
        tenant = await skilled(world, first, tools)
        turn, _ = await loaded(tenant, provider)
        await world.declare_dead(first)
        (await provider.asked()).ask_for(TRANSFER, arguments=tag("careful-heir"))
        ended, _ = await answered(tenant, provider, turn.id)

    assert outcomes(ended) == ["OK", "DENIED"]
    assert tools.effects("careful-heir") == 0


async def test_explaining_says_which_skill_decides(tenant: Tenant):
    await put_skill(tenant, skill("brief", rules=[rule("ASK", "shortly")]))
    await tenant.agent(tools=["effects/*"], policy={"allow": ["*/*"]}, skills=["careful", "brief"])

    async def explain(*skills: str, name: str = "careful-x") -> pb.ExplainResponse:
        request = pb.ExplainRequest(
            agent="agent", tool="effects/transfer", arguments=tag(name), skills=skills
        )
        return await tenant.runtime.policies.Explain(request, metadata=tenant.admin)

    free, denied = await explain(), await explain("careful", "brief")
    asked = await explain("careful", "brief", name="x")
    refused = await refusal(explain("careful", "none"))

    found = [(each.verdict, each.source, each.skill) for each in (free, denied, asked)]
    assert found == [(1, "AGENT", ""), (3, "SKILL", "careful"), (2, "SKILL", "brief")]
    assert asked.reason == "the skill 'brief' asks a person before 'effects/transfer': shortly"
    assert (asked.rule, "approve_always" in asked.decisions) == ("effects/t*", True)
    assert (refused.code, refused.fields) == (
        StatusCode.INVALID_ARGUMENT,
        [("skills[1]", "the agent has no skill 'none'")],
    )


async def test_the_audit_has_what_skills_said_and_by_whom(tenant: Tenant, provider: Provider):
    turn, ask = await loaded(tenant, provider)
    ask.ask_for(TRANSFER, arguments=tag("careful-audit"))
    await answered(tenant, provider, turn.id)
    changed = await put_skill(tenant, skill())
    await tenant.agent()
    await delete_skill(tenant)

    request = audit_service_pb2.ListAuditEntriesRequest()
    page = await tenant.runtime.audit.ListAuditEntries(request, metadata=tenant.admin)
    entries = [orjson.loads(each.entry) for each in page.entries]
    made, other, deleted = [each for each in entries if each["kind"] == "SKILL_CHANGED"]
    denied = next(each for each in entries if each.get("outcome") == "DENIED")

    assert (denied["source"], denied["skill"]) == ("SKILL", "careful")
    assert denied["skill_versions"] == made["version"]
    assert orjson.loads(made["spec"])["rules"][0]["effect"] == "DENY"
    assert (other["version"], deleted["deleted"]) == (changed.skill.version, True)
    assert {UUID(each["by"]) for each in (made, other, deleted)} == {UUID(tenant.made.principal)}
