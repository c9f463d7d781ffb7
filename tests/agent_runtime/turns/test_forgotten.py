"""A deleted thread's turns are forgotten in the registry too, whoever dies meanwhile."""

import base64
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

import grpc
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.threads.test_conversations import delete
from tests.agent_runtime.turns.test_invocations import run
from tests.agent_runtime.turns.world import Served, World, cancel
from tests.conftest import Keys
from tests.doubles.scripted_mcp import Called, Message, ScriptedServer, tool
from tests.tool_registry import serving as registries
from tests.waiting import refusal
from turnpike.agent_runtime.threads.forgetting import Forget, sweep
from turnpike.agent_runtime.tools.forgetting import Forgetting
from turnpike.api.agent_runtime.v1.agent_pb2 import AgentSpec
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.tool_registry.v1.artifact_service_pb2 import ListArtifactsRequest
from turnpike.rpc.errors import RemoteError
from turnpike.rpc.identity import Signer

PICTURE = {
    "type": "image",
    "data": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(),
    "mimeType": "image/png",
}


@pytest.fixture
async def place() -> AsyncGenerator[str]:
    """Where a server is whose one tool answers with a picture."""

    async def answer(_: Called) -> Message:
        return {"content": [PICTURE]}

    async with ScriptedServer([tool("one")], answer=answer).listening() as url:
        yield url


@pytest.fixture
def forget(registry: registries.Registry, keys: Keys) -> Forget:
    """What a replica tells the registry by."""
    signer = Signer("agent-runtime", keys.seeds["agent-runtime"])
    return Forgetting(registry.calls, signer.metadata_for).forget


async def pictured(
    world: World, served: Served, registry: registries.Registry, place: str
) -> tuple[Tenant, Turn]:
    """Returns a new tenant with a turn whose call brought a picture."""
    tenant = await world.tenant(served, policy={"allow": ["*/*"]})
    await registries.Tenant(registry, tenant.id).connect("shop", url=place)
    await registries.Tenant(registry, tenant.id).tools()
    turn = await run(tenant, "shop/one")
    assert await artifacts(registry, tenant, turn) == 1
    return tenant, turn


async def artifacts(registry: registries.Registry, tenant: Tenant, turn: Turn) -> int:
    """Counts what a turn's calls brought."""
    response = await registry.artifacts.ListArtifacts(
        ListArtifactsRequest(turn=turn.id), metadata=tenant.admin
    )
    return len(response.artifacts)


async def test_what_calls_brought_goes_with_their_thread(
    world: World,
    registry: registries.Registry,
    place: str,
    system: AsyncEngine,
    forget: Forget,
):
    async with world.replica() as served:
        tenant, turn = await pictured(world, served, registry, place)
        other = await run(tenant, "shop/one")
        await delete(tenant, turn.thread)
    # The replica's own sweep may have come before.
    await sweep(system, forget)

    assert await artifacts(registry, tenant, turn) == 0
    assert await artifacts(registry, tenant, other) == 1
    late = registries.Tenant(registry, tenant.id).announce(turn.id, 99)
    assert (await refusal(late)).reason == "FENCE_STALE"


async def test_who_dies_before_the_registry_knows_has_forgotten_nothing(
    world: World,
    registry: registries.Registry,
    place: str,
    system: AsyncEngine,
    forget: Forget,
):
    async def dies(_: UUID, __: Sequence[UUID]) -> None:
        raise RemoteError(grpc.StatusCode.UNAVAILABLE, "", "the registry is away")

    async with world.replica() as served:
        tenant, turn = await pictured(world, served, registry, place)
        silent = await tenant.start(inline_agent=AgentSpec(model="model", tools=[]))
        await cancel(tenant, silent.id)
        before = await world.count("forgotten_turns")
    # Nobody else sweeps from here on.
    await world.superuser.execute(
        "DELETE FROM threads WHERE id = ANY($1)", [UUID(turn.thread), UUID(silent.thread)]
    )

    with pytest.raises(RemoteError):
        await sweep(system, dies)
    assert await artifacts(registry, tenant, turn) == 1
    # A turn that called nothing is nothing to tell of.
    assert await sweep(system, forget) == before + 1
    assert await artifacts(registry, tenant, turn) == 0
    assert await world.count("forgotten_turns") == 0
