"""Tools that are searched for: what the model sees, finds and calls, and what survives."""

import json
from typing import Any
from uuid import UUID

import pytest

from tests.agent_runtime.prefix.ledgers import is_one_prefix
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World, begin, cancel
from tests.waiting import until
from turnpike.api.agent_runtime.v1.agent_pb2 import ToolSearch
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
SEARCH, CALL = "turnpike__search_tools", "turnpike__call_tool"


@pytest.fixture
async def tenant(world: World, here: Served, tools: Tools) -> Tenant:
    """A tenant whose agent has more tools than its model has room for."""
    tenant = await world.tenant(here)
    await narrow(world, tenant)
    await tools.offer(tenant)
    return tenant


async def narrow(world: World, tenant: Tenant) -> None:
    limits = {"context_window": 2_000}
    await tenant.model(provider="openai", model="m", base_url=world.provider.url, limits=limits)


def names(ask: Ask) -> list[str]:
    return [tool["function"]["name"] for tool in ask.body.get("tools", [])]


def outcomes(turn: Turn) -> list[str]:
    return [ToolOutcome.Name(call.outcome).removeprefix("TOOL_OUTCOME_") for call in turn.calls]


def passing(name: str, **arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def found(ask: Ask) -> list[str]:
    return [tool["name"] for tool in json.loads(ask.prompt[-1][1])["tools"]]


async def searched(tenant: Tenant, provider: Provider, query: str) -> tuple[Turn, Ask, Ask]:
    """Starts a turn that searches; returns it with its first call and the one after."""
    turn, first = await begin(tenant, provider)
    first.ask_for(SEARCH, arguments=json.dumps({"query": query}))
    return turn, first, await provider.asked()


async def test_what_is_found_is_called_and_no_byte_that_was_sent_changes(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    turn, first, ask = await searched(tenant, provider, "move money")
    wrapped = passing("effects__transfer", tag="found")
    ask.ask_for(CALL, arguments=wrapped)
    last = await provider.asked()
    last.answer("done")
    ended = await tenant.ended(turn.id)

    assert names(first) == names(ask) == names(last) == [SEARCH, CALL]
    assert found(ask)[0] == "effects__transfer"
    assert (tools.effects("found"), outcomes(ended)) == (1, ["OK", "OK"])
    assert [call.name for call in ended.calls] == ["turnpike/search_tools", "effects/transfer"]
    assert json.loads(ended.calls[1].arguments) == {"tag": "found"}
    assert last.body["messages"][-2]["tool_calls"][0]["function"] == {
        "name": CALL,
        "arguments": wrapped,
    }
    assert is_one_prefix([first.sent, ask.sent, last.sent])


async def test_what_was_found_is_the_next_turn_s_too(
    tenant: Tenant, provider: Provider, tools: Tools
):
    turn, _, ask = await searched(tenant, provider, "move money")
    ask.answer("found it")
    await tenant.ended(turn.id)
    later, ask = await begin(tenant, provider, thread=turn.thread)
    ask.ask_for(CALL, arguments=passing("effects__transfer", tag="later"))
    (await provider.asked()).answer("done")

    assert outcomes(await tenant.ended(later.id)) == ["OK"]
    assert tools.effects("later") == 1


async def test_what_was_found_survives_its_owner(world: World, provider: Provider, tools: Tools):
    async with world.replica() as first, world.replica():
        tenant = await world.tenant(first)
        await narrow(world, tenant)
        await tools.offer(tenant)
        turn, begun, ask = await searched(tenant, provider, "move money")
        await world.declare_dead(first)
        ask = await provider.asked()
        ask.ask_for(CALL, arguments=passing("effects__transfer", tag="heir"))
        last = await provider.asked()
        last.answer("done")
        await tenant.ended(turn.id)

    assert found(ask)[0] == "effects__transfer"
    assert tools.effects("heir") == 1
    assert is_one_prefix([begun.sent, ask.sent, last.sent])


async def test_a_definition_that_is_another_than_the_one_that_was_found_does_not_run(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    turn, _, ask = await searched(tenant, provider, "move money")
    ask.answer("found it")
    await tenant.ended(turn.id)
    await world.superuser.execute(
        "UPDATE calls SET structured ="
        ' regexp_replace(structured, \'"digest":"[^"]*"\', \'"digest":"sha256:00"\', \'g\')'
        " WHERE turn = $1",
        UUID(turn.id),
    )
    later, ask = await begin(tenant, provider, thread=turn.thread)
    ask.ask_for(CALL, arguments=passing("effects__transfer", tag="drift"))
    ask = await provider.asked()
    told = ask.prompt[-1][1]
    ask.ask_for(SEARCH, arguments='{"query": "move money"}')
    ask = await provider.asked()
    ask.ask_for(CALL, arguments=passing("effects__transfer", tag="again"))
    (await provider.asked()).answer("done")

    assert outcomes(await tenant.ended(later.id)) == ["ERROR", "OK", "OK"]
    assert "is not what it was" in told
    assert (tools.effects("drift"), tools.effects("again")) == (0, 1)


async def test_nobody_is_asked_to_approve_another_definition_than_the_one_that_was_found(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, policy={"allow": ["turnpike/*"], "ask": ["effects/*"]})
    turn, _, ask = await searched(tenant, provider, "move money")
    ask.answer("found it")
    await tenant.ended(turn.id)
    # As if the server had changed it since, and somebody had accepted that.
    await world.superuser.execute(
        "UPDATE calls SET structured ="
        ' regexp_replace(structured, \'"digest":"[^"]*"\', \'"digest":"sha256:00"\', \'g\')'
        " WHERE turn = $1",
        UUID(turn.id),
    )
    later, ask = await begin(tenant, provider, thread=turn.thread)
    ask.ask_for(CALL, arguments=passing("effects__transfer", tag="drift"))
    ask = await provider.asked()
    told = ask.prompt[-1][1]
    ask.ask_for(SEARCH, arguments='{"query": "move money"}')
    ask = await provider.asked()
    ask.ask_for(CALL, arguments=passing("effects__transfer", tag="again"))

    async def waits() -> bool:
        return (await tenant.turn(later.id)).status == TurnStatus.TURN_STATUS_WAITING

    await until(waits)
    ended = await cancel(tenant, later.id)
    assert "is not what it was" in told
    assert outcomes(ended) == ["ERROR", "OK", "CANCELLED"]
    assert (tools.effects("drift"), tools.effects("again")) == (0, 0)


async def test_policy_judges_what_is_called_and_not_what_calls_it(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, policy={"deny": ["effects/transfer"]})
    turn, ask = await begin(tenant, provider)
    ask.ask_for(CALL, arguments=passing("effects__transfer", tag="denied"))
    (await provider.asked()).answer("well then")

    assert outcomes(await tenant.ended(turn.id)) == ["DENIED"]
    assert tools.effects("denied") == 0


async def test_pinned_tools_are_always_shown(tenant: Tenant, provider: Provider, tools: Tools):
    await tools.offer(tenant, tool_search=ToolSearch(pinned=["effects/p*", "effects/echo"]))
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__echo")
    (await provider.asked()).answer("done")

    assert names(ask) == [SEARCH, CALL, "effects__echo", "effects__peek"]
    assert outcomes(await tenant.ended(turn.id)) == ["OK"]


@pytest.mark.parametrize(
    "search", [ToolSearch(percent=100), ToolSearch(percent=50)], ids=["never", "room"]
)
async def test_all_are_shown_where_there_is_room(
    tenant: Tenant, provider: Provider, tools: Tools, search: ToolSearch
):
    await tools.offer(tenant, tool_search=search)
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")
    await tenant.ended(turn.id)

    assert "effects__transfer" in names(ask)
    assert SEARCH not in names(ask)


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome", "told"),
    [
        (SEARCH, "{}", "ERROR", "query"),
        (SEARCH, '{"query": "zebra crossing"}', "OK", "no tool is like that"),
        (CALL, "{}", "ERROR", "there is no tool"),
        (CALL, "no json", "ERROR", "there is no tool"),
        (CALL, '{"name": "effects__nothing", "arguments": {}}', "ERROR", "there is no tool"),
        (CALL, '{"name": "effects__transfer", "arguments": []}', "ERROR", ""),
        (CALL, '{"name": "effects/echo", "arguments": "{\\"a\\": 1}"}', "OK", '{"a":1}'),
    ],
    ids=["no-query", "nothing", "empty", "broken", "unknown", "list", "text"],
)
async def test_whatever_a_model_writes_it_is_told(
    tenant: Tenant, provider: Provider, tool: str, arguments: str, outcome: str, told: str
):
    turn, ask = await begin(tenant, provider)
    ask.ask_for(tool, arguments=arguments)
    ask = await provider.asked()
    ask.answer("well")
    ended = await tenant.ended(turn.id)

    assert (ended.status, outcomes(ended)) == (COMPLETED, [outcome])
    assert told in ask.prompt[-1][1]
