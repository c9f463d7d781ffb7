"""Tool calls of a turn: what runs, what does not, and what is said when nobody knows."""

from uuid import UUID

import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, begin, kinds, watching
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED


def outcomes(turn: Turn) -> list[str]:
    return [ToolOutcome.Name(call.outcome).removeprefix("TOOL_OUTCOME_") for call in turn.calls]


async def test_the_model_is_told_each_result_in_the_order_of_its_calls(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.call("effects__transfer", '{"tag": "slow", "seconds": 0.2}', index=0)
    ask.call("effects__echo", '{"quick": true}', index=1)
    ask.end(reason="tool_calls")
    ask = await provider.asked()
    ask.answer("done")
    ended = await tenant.ended(turn.id)

    answers = [each for each in ask.body["messages"] if each["role"] == "tool"]
    assert [each["tool_call_id"] for each in answers] == ["use_0", "use_1"]
    assert [each["content"] for each in answers] == ["done slow", '{"quick":true}']
    assert outcomes(ended) == ["OK", "OK"]


async def test_what_was_asked_is_committed_before_the_first_call_runs(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    arguments = '{"tag":   "asked",\n "seconds": 0}'
    async with world.locked(turn.id) as held:
        ask.ask_for("effects__transfer", arguments=arguments)
        await held.awaited()
        assert tools.effects("asked") == 0
    (await provider.asked()).answer("done")
    ended = await tenant.ended(turn.id)

    assert tools.effects("asked") == 1
    # Verbatim, and under the id that the ledger knows it by.
    assert ended.calls[0].arguments == arguments
    assert ended.calls[0].effect == f"{turn.id}:1:0"
    stored = await world.superuser.fetchval(
        "SELECT arguments FROM calls WHERE turn = $1", UUID(turn.id)
    )
    assert stored == arguments


async def test_what_policy_denies_does_not_run_and_the_model_is_told(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, policy={"deny": ["effects/transfer"]})
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__transfer", "effects__echo", arguments='{"tag": "denied"}')
    ask = await provider.asked()
    ask.answer("well then")
    ended = await tenant.ended(turn.id)

    assert outcomes(ended) == ["DENIED", "OK"]
    assert tools.effects("denied") == 0
    assert "policy denies" in ask.prompt[-2][1]
    assert ended.status == COMPLETED


async def test_s2_whatever_changes_of_an_agent_or_its_tools_is_the_next_turns(
    tenant: Tenant, provider: Provider, tools: Tools
):
    """Nothing that is kept of an agent outlives a change: not a word, a flag or a tool."""
    await tools.offer(tenant, instructions="first")
    allowed = await turn_with_a_call(tenant, provider, "s2-allowed")
    await tenant.agent(
        instructions="second", tools=["effects/*"], policy={"deny": ["effects/transfer"]}
    )
    denied = await turn_with_a_call(tenant, provider, "s2-denied")
    await tenant.agent(instructions="second", tools=["effects/echo"])
    _, ask = await begin(tenant, provider)
    ask.answer("done")

    assert (allowed, denied) == (("first", ["OK"]), ("second", ["DENIED"]))
    assert (tools.effects("s2-allowed"), tools.effects("s2-denied")) == (1, 0)
    assert [tool["function"]["name"] for tool in ask.body["tools"]] == ["effects__echo"]


async def turn_with_a_call(tenant: Tenant, provider: Provider, tag: str) -> tuple[str, list[str]]:
    """Returns the instructions that the model was given, and what became of its call."""
    turn, ask = await begin(tenant, provider)
    instructions = ask.prompt[0][1]
    ask.ask_for("effects__transfer", arguments=f'{{"tag": "{tag}"}}')
    (await provider.asked()).answer("done")
    return instructions, outcomes(await tenant.ended(turn.id))


@pytest.mark.parametrize("name", ["effects__nothing", "nobody__echo", "echo", "", "a b/c"])
async def test_a_tool_that_there_is_not_is_an_error_that_the_model_is_told(
    tenant: Tenant, provider: Provider, tools: Tools, name: str
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.ask_for(name)
    ask = await provider.asked()
    ask.answer("sorry")
    ended = await tenant.ended(turn.id)

    assert outcomes(ended) == ["ERROR"]
    assert "there is no tool" in ask.prompt[-1][1]
    assert (ended.status, ended.text) == (COMPLETED, "sorry")


@pytest.mark.parametrize("arguments", ["no json", "[]", '{"tag": 1}', "{", "null", ""])
async def test_arguments_that_do_not_fit_are_an_error_that_the_model_is_told(
    tenant: Tenant, provider: Provider, tools: Tools, arguments: str
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__transfer", arguments=arguments)
    ask = await provider.asked()
    ask.answer("sorry")
    ended = await tenant.ended(turn.id)

    assert outcomes(ended) == ["ERROR"]
    assert ask.prompt[-1][0] == "tool"
    assert ended.status == COMPLETED


# The model's prompt holds them from then on; aiohttp would rather have a file.
@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_arguments_beyond_all_bounds_are_an_error_too(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__echo", arguments='{"a": "' + "x" * 4_000_000 + '"}')
    (await provider.asked()).answer("sorry")

    assert outcomes(await tenant.ended(turn.id)) == ["ERROR"]


async def test_a_tool_that_fails_is_an_error_that_the_model_is_told(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__fail", arguments='{"message": "out of paper"}')
    ask = await provider.asked()
    ask.answer("sorry")

    assert outcomes(await tenant.ended(turn.id)) == ["ERROR"]
    assert "out of paper" in ask.prompt[-1][1]


async def test_a_result_that_came_while_nobody_owned_the_turn_is_joined_by_its_effect(
    world: World, provider: Provider, tools: Tools
):
    async with world.replica() as first:
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        over = tools.hold("joined")
        ask.ask_for("effects__transfer", arguments='{"tag": "joined"}')
        await tools.runs("joined")
        # Nobody claims it until the call is over.
        await world.superuser.execute(
            "UPDATE turns SET owner = NULL, fence = fence + 1,"
            " due_at = statement_timestamp() + interval '1 hour' WHERE id = $1",
            UUID(turn.id),
        )
        over.set()
        await tools.ran(tenant, turn.id)
        await world.superuser.execute(
            "UPDATE turns SET due_at = statement_timestamp() WHERE id = $1", UUID(turn.id)
        )
        ask = await provider.asked()
        ask.answer("done")
        ended = await tenant.ended(turn.id)

    assert "done joined" in ask.prompt[-1][1]
    assert (tools.effects("joined"), outcomes(ended)) == (1, ["OK"])
    assert kinds(await world.log(turn.id)).count("tool_finished") == 1


async def test_the_registry_takes_nothing_from_an_owner_that_was_overtaken(
    world: World, provider: Provider, tools: Tools
):
    # The first owner commits what was asked; the next claim announces its fence
    # before the first one's call is sent.
    async with world.replica() as first:
        tenant = await world.tenant(first)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        await tools.announce(tenant, turn.id, fence=2)
        ask.ask_for("effects__transfer", arguments='{"tag": "stale"}')
        async with watching(tenant, turn.id) as reader:
            await reader.until(lambda each: "tool_requested" in kinds(each.events))
            # Refused, it gives the turn up; whoever claims it has the fence that counts.
            ask = await provider.asked()
            ask.answer("done")
            await reader.ends()

    assert tools.effects("stale") == 1
    assert (await world.row(turn.id))["fence"] == 2
