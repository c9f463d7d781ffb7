"""What calls need of a person that the effect ledger cannot end by itself."""

import asyncio

import pytest

from tests.agent_runtime.approvals.asking import answered, decide, said, told, waiting
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, begin
from tests.doubles.scripted_mcp import Called, Message, ScriptedServer, tool
from tests.doubles.scripted_mcp import said as result
from tests.tool_registry import serving as registries
from tests.waiting import until
from turnpike.api.agent_runtime.v1.approval_pb2 import DecisionKind
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import GetCallRequest


@pytest.mark.parametrize(
    ("kind", "text", "outcome", "heard"),
    [
        pytest.param("done", "it is in the books", "OK", "it is in the books", id="done"),
        pytest.param("not_done", "it is not there", "ERROR", "it is not there", id="not-done"),
    ],
)
async def test_an_unknown_outcome_is_asked_about_and_what_is_said_is_the_result(
    world: World,
    provider: Provider,
    tools: Tools,
    kind: str,
    text: str,
    outcome: str,
    heard: str,
):
    async with world.replica(tool_timeout=1) as served:
        tenant = await world.tenant(served)
        await tools.offer(tenant)
        turn, ask = await begin(tenant, provider)
        ask.ask_for("effects__hang")
        asked = (await waiting(tenant, turn.id)).approval
        allowed = [DecisionKind.Name(each) for each in asked.calls[0].allowed]
        # Looking again finds the same; the turn waits on, with a new approval.
        await decide(tenant, asked.id, said("verify"))
        found = asked

        async def asked_again() -> bool:
            nonlocal found
            found = (await waiting(tenant, turn.id)).approval
            return found.id != asked.id

        await until(asked_again)
        await decide(tenant, found.id, said(kind, text=text))
        ended, ask = await answered(tenant, provider, turn.id)

    assert allowed == [
        f"DECISION_KIND_{each}" for each in ("VERIFY", "DONE", "NOT_DONE", "RUN_AGAIN")
    ]
    assert ToolOutcome.Name(ended.calls[0].outcome) == f"TOOL_OUTCOME_{outcome}"
    assert heard in told(ask)[0]


async def test_r36_run_again_is_the_same_call_once_more_whoever_says_so(
    world: World, provider: Provider, registry: registries.Registry
):
    ran: list[Called] = []

    async def work(called: Called) -> Message:
        ran.append(called)
        if len(ran) == 1:
            await asyncio.Event().wait()
        return result("worked")

    server = ScriptedServer([tool("work")], work)
    async with world.replica(tool_timeout=4) as served, server.listening() as place:
        tenant = await world.tenant(served)
        owner = registries.Tenant(registry, tenant.id)
        await owner.connect("desk", url=place)
        await tenant.agent(tools=["desk/*"], policy={"allow": ["*/*"]})
        turn, ask = await begin(tenant, provider)
        ask.ask_for("desk__work")
        asked = (await waiting(tenant, turn.id)).approval
        came = await asyncio.gather(
            *(
                decide(tenant, asked.id, said("run_again"), by=tenant.somebody("admin"))
                for _ in range(5)
            ),
            return_exceptions=True,
        )
        ended, ask = await answered(tenant, provider, turn.id)
        call = await registry.calls.GetCall(
            GetCallRequest(turn=turn.id, step=1, ordinal=0), metadata=owner.as_service()
        )

    assert sum(not isinstance(each, BaseException) for each in came) == 1
    assert (len(ran), ToolOutcome.Name(ended.calls[0].outcome)) == (2, "TOOL_OUTCOME_OK")
    assert len({called.meta["turnpike/idempotency-key"] for called in ran}) == 1
    assert call.call.generation == 2
    assert told(ask) == ["worked"]
