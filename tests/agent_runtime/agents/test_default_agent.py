"""The agent `default` of whoever has no provider's key yet."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from grpc import StatusCode

from tests.agent_runtime.serving import Runtime, Tenant, serving
from tests.conftest import Keys
from tests.waiting import refusal
from turnpike.agent_runtime.settings import Settings
from turnpike.api.agent_runtime.v1 import agent_service_pb2


@pytest.fixture
async def offering(settings: Settings, keys: Keys) -> AsyncGenerator[Runtime]:
    """A replica that offers the default agent."""
    changes = {"default_agent": True, "replica_name": "offering"}
    async with serving(settings.model_copy(update=changes), keys) as replica:
        yield replica


async def names(tenant: Tenant) -> list[str]:
    request = agent_service_pb2.ListAgentsRequest()
    page = await tenant.runtime.agents.ListAgents(request, metadata=tenant.admin)
    return [agent.name for agent in page.agents]


async def delete(tenant: Tenant) -> None:
    request = agent_service_pb2.DeleteAgentRequest(name="default")
    await tenant.runtime.agents.DeleteAgent(request, metadata=tenant.admin)


async def test_every_tenant_has_it(offering: Runtime, tenant: Tenant):
    mine = tenant.on(offering)

    turn = await mine.ended((await mine.start("hello", agent="default")).id)

    assert "built-in scripted model" in turn.text
    assert await names(mine) == ["default"]


async def test_many_first_turns_make_it_once(offering: Runtime, tenant: Tenant):
    mine = tenant.on(offering)

    turns = await asyncio.gather(*(mine.start(agent="default") for _ in range(10)))

    assert len({turn.agent_version for turn in turns}) == 1


async def test_it_is_theirs_to_change_and_to_delete(offering: Runtime, tenant: Tenant):
    mine = tenant.on(offering)
    await names(mine)
    await mine.agent("default", model="scripted", instructions="Be mine.")
    changed = await mine.start(agent="default")
    await delete(mine)

    refused = await refusal(mine.start(agent="default"))

    assert changed.agent == "default"
    assert refused.code is StatusCode.NOT_FOUND
    assert await names(mine) == []


async def test_an_agent_of_that_name_is_left_alone(offering: Runtime, tenant: Tenant):
    await tenant.model()
    made = await tenant.agent("default", instructions="I was first.")

    turn = await tenant.on(offering).start(agent="default")

    assert turn.agent_version == made.version


async def test_without_the_setting_there_is_none(tenant: Tenant):
    assert (await refusal(tenant.start(agent="default"))).code is StatusCode.NOT_FOUND
