"""What providers sign of their reasoning: returned as it stands, from whichever replica."""

from collections.abc import AsyncGenerator

import pytest

from tests.agent_runtime.models.wires import WIRES, Wire
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World
from tests.doubles.recorded_provider import RecordedProvider, recorded, recorded_provider
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus

pytestmark = pytest.mark.usefixtures("litellm")

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
SIGNED = [wire for wire in WIRES if wire.provider in ("anthropic", "bedrock", "gemini")]


@pytest.fixture
async def played() -> AsyncGenerator[RecordedProvider]:
    """A provider that plays its recordings."""
    async with recorded_provider() as provider:
        yield provider


@pytest.mark.parametrize("wire", SIGNED, ids=lambda wire: wire.provider)
async def test_reasoning_that_is_signed_is_returned_over_steps_turns_and_replicas(
    world: World, tenant: Tenant, tools: Tools, played: RecordedProvider, wire: Wire
):
    # The tool that it asks for is not there: the model is told so, and goes on.
    played.play(wire.calls, wire.answer)
    await tenant.model(
        "thinker", provider=wire.provider, model=wire.model, base_url=played.url, api_key="k"
    )
    await tools.offer(tenant, model="thinker")

    first = await tenant.ended((await tenant.start("weather?")).id)
    async with world.replica() as other:
        elsewhere = tenant.on(other.runtime)
        again = await elsewhere.start("and now?", thread=first.thread)
        second = await elsewhere.ended(again.id)

    assert (first.status, second.status) == (COMPLETED, COMPLETED)
    assert len(played.requests) == 3
    bodies = [request.json() for request in played.requests[1:]]
    signed = wire.signed(bodies[0])
    assert len(signed) == 2
    said = recorded(wire.calls)
    assert all(each.encode() in said for each in signed)
    assert wire.signed(bodies[1]) == signed
    # The whole message, its thoughts, text and calls.
    contents = [body.get("contents") or body["messages"] for body in bodies]
    assert contents[1][1] == contents[0][1]
