"""What a model is told of its agent's skills, what it loads, and what stays while they change."""

import json
from typing import Any
from uuid import UUID

import pytest

from tests.agent_runtime.approvals.asking import decide, said, waiting
from tests.agent_runtime.prefix.ledgers import is_one_prefix
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.skills.keeping import delete_skill, put_skill, skill
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, begin
from turnpike.api.agent_runtime.v1.agent_pb2 import ToolSearch
from turnpike.api.agent_runtime.v1.policy_pb2 import Policy
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
LOAD = "turnpike__load_skill"
SKILLED: dict[str, Any] = {"instructions": "Be brief.", "skills": ["careful", "brief"]}


@pytest.fixture
async def tenant(world: World, here: Served) -> Tenant:
    """A tenant whose agent has two skills."""
    return await skilled(world, here)


async def skilled(world: World, served: Served) -> Tenant:
    tenant = await world.tenant(served)
    await put_skill(tenant, skill("careful", description="For\ncare.", instructions="Take care."))
    await put_skill(tenant, skill("brief", description="For {{agent_name}}s in a hurry."))
    await tenant.agent(**SKILLED)
    return tenant


def naming(name: str) -> str:
    return json.dumps({"name": name})


def names(ask: Ask) -> list[str]:
    return [tool["function"]["name"] for tool in ask.body.get("tools", [])]


def outcomes(turn: Turn) -> list[str]:
    return [ToolOutcome.Name(call.outcome).removeprefix("TOOL_OUTCOME_") for call in turn.calls]


async def test_a_model_sees_names_and_descriptions_and_loads_what_it_needs(
    tenant: Tenant, provider: Provider
):
    turn, first = await begin(tenant, provider)
    first.ask_for(LOAD, arguments=naming("careful"))
    second = await provider.asked()
    second.answer("careful now")
    ended = await tenant.ended(turn.id)

    role, system = first.prompt[0]
    assert role == "system"
    assert system.startswith("Be brief.\n\n# Skills\n")
    # Nothing of a description is filled in, or looks like another skill's.
    assert system.endswith("\n- careful: For care.\n- brief: For {{agent_name}}s in a hurry.")
    assert "Take care." not in system
    assert names(first) == [LOAD]
    assert second.prompt[-1] == ("tool", "Take care.")
    assert (ended.status, outcomes(ended)) == (COMPLETED, ["OK"])
    assert is_one_prefix([first.sent, second.sent])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (naming("reckless"), "there is no skill 'reckless': there are careful, brief"),
        ("{}", "there is no skill ''"),
        ('{"name": ["careful"]}', "there is no skill ''"),
        ("[1]", "there is no skill ''"),
        ("no json", "there is no skill ''"),
    ],
    ids=["unknown", "none", "list", "array", "broken"],
)
async def test_whatever_a_model_writes_it_is_told(
    tenant: Tenant, provider: Provider, arguments: str, told: str
):
    turn, ask = await begin(tenant, provider)
    ask.ask_for(LOAD, arguments=arguments)
    ask = await provider.asked()
    ask.answer("well")
    ended = await tenant.ended(turn.id)

    assert (ended.status, outcomes(ended)) == (COMPLETED, ["ERROR"])
    assert told in ask.prompt[-1][1]


async def test_an_agent_without_skills_has_nothing_to_load(tenant: Tenant, provider: Provider):
    await tenant.agent(instructions="Be brief.")
    turn, ask = await begin(tenant, provider)
    ask.ask_for(LOAD, arguments=naming("careful"))
    told = await provider.asked()
    told.answer("well")
    ended = await tenant.ended(turn.id)

    assert (ask.prompt[0], names(ask)) == (("system", "Be brief."), [])
    assert outcomes(ended) == ["ERROR"]
    assert "there is no tool" in told.prompt[-1][1]


async def test_skills_are_loaded_beside_tools_that_are_searched_for(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    limits = {"context_window": 2_000}
    await tenant.model(provider="openai", model="m", base_url=world.provider.url, limits=limits)
    await tools.offer(tenant, tool_search=ToolSearch(), **SKILLED)
    turn, ask = await begin(tenant, provider)
    arguments = json.dumps({"name": LOAD, "arguments": {"name": "careful"}})
    ask.ask_for("turnpike__call_tool", arguments=arguments)
    told = await provider.asked()
    told.answer("done")

    assert names(ask) == ["turnpike__search_tools", "turnpike__call_tool", LOAD]
    assert told.prompt[-1] == ("tool", "Take care.")
    assert outcomes(await tenant.ended(turn.id)) == ["OK"]


async def test_a_turn_s_prompt_begins_as_the_one_s_before_while_its_skills_are_the_same(
    tenant: Tenant, provider: Provider
):
    turn, first = await begin(tenant, provider)
    first.ask_for(LOAD, arguments=naming("careful"))
    (await provider.asked()).answer("careful now")
    await tenant.ended(turn.id)
    # What no model sees before it loads it changes no byte of what it sees.
    await put_skill(tenant, skill("careful", description="For\ncare.", instructions="More care."))
    later, ask = await begin(tenant, provider, thread=turn.thread)
    ask.ask_for(LOAD, arguments=naming("careful"))
    told = await provider.asked()
    told.answer("more careful")
    await tenant.ended(later.id)

    assert is_one_prefix([first.sent, ask.sent, told.sent])
    assert [text for role, text in told.prompt if role == "tool"] == ["Take care.", "More care."]


async def test_a_turn_keeps_over_a_pause_the_skills_that_it_began_with(
    tenant: Tenant, provider: Provider, tools: Tools
):
    """Edited, dropped by the agent and deleted meanwhile: what it began with is what it has."""
    await tools.offer(tenant, policy=Policy(ask=["effects/*"]), **SKILLED)
    turn, first = await begin(tenant, provider)
    first.ask_for("effects__transfer", arguments='{"tag": "kept"}')
    paused = await waiting(tenant, turn.id)
    await put_skill(tenant, skill("brief", description="Else.", instructions="Else."))
    await tenant.agent(skills=[])
    await delete_skill(tenant, "careful")
    await decide(tenant, paused.approval.id, said("approve"))
    ask = await provider.asked()
    ask.ask_for(LOAD, arguments=naming("careful"))
    told = await provider.asked()
    told.ask_for("effects__transfer", arguments='{"tag": "again"}')
    again = await waiting(tenant, turn.id)
    await decide(tenant, again.approval.id, said("approve", "call_3_0"))
    last = await provider.asked()
    last.ask_for(LOAD, arguments=naming("brief"))
    end = await provider.asked()
    end.answer("done")
    ended = await tenant.ended(turn.id)

    assert told.prompt[-1] == ("tool", "Take care.")
    # As `skill` has it, and not what it was changed to.
    assert end.prompt[-1] == ("tool", "Take care.")
    assert (ended.status, outcomes(ended)) == (COMPLETED, ["OK"] * 4)
    assert (tools.effects("kept"), tools.effects("again")) == (1, 1)
    assert is_one_prefix([each.sent for each in (first, ask, told, last, end)])


async def test_a_turn_keeps_its_skills_when_its_owner_dies(world: World, provider: Provider):
    async with world.replica() as first, world.replica():
        tenant = await skilled(world, first)
        turn, begun = await begin(tenant, provider)
        # Before anything is committed: the next owner makes the prompt from nothing.
        for name in ("careful", "brief"):
            await put_skill(tenant, skill(name, description="Else.", instructions="Else."))
        await world.declare_dead(first)
        ask = await provider.asked()
        ask.ask_for(LOAD, arguments=naming("careful"))
        last = await provider.asked()
        last.answer("done")
        await tenant.ended(turn.id)

    assert begun.prompt == ask.prompt
    assert last.prompt[-1] == ("tool", "Take care.")
    assert is_one_prefix([begun.sent, ask.sent, last.sent])


async def test_who_pins_first_pins_for_all(world: World, tenant: Tenant, provider: Provider):
    """An owner who was taken over before it asked is told what the next one was."""
    turn, ask = await begin(tenant, provider)
    pins = "SELECT name, spec ->> 'instructions' FROM pin_skills($1, $2, $3)"
    await put_skill(tenant, skill("careful", instructions="Else."))
    late = await world.superuser.fetch(pins, UUID(tenant.id), UUID(turn.id), ["careful"])
    ask.answer("hello")
    await tenant.ended(turn.id)

    assert [tuple(row) for row in late] == [("careful", "Take care."), ("brief", "Take care.")]


async def test_a_queued_turn_has_the_skills_of_when_it_begins(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    queued = await tenant.start(thread=turn.thread, on_busy="ON_BUSY_ENQUEUE")
    await put_skill(tenant, skill("careful", instructions="Else."))
    ask.answer("hello")
    await tenant.ended(turn.id)
    ask = await provider.asked()
    ask.ask_for(LOAD, arguments=naming("careful"))
    told = await provider.asked()
    told.answer("done")
    await tenant.ended(queued.id)

    assert told.prompt[-1] == ("tool", "Else.")
