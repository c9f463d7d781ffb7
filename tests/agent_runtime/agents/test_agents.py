"""Agents: every change is a new version that never changes, active at once."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from grpc import StatusCode

from tests.agent_runtime.serving import Runtime, Tenant, serving
from tests.conftest import Keys
from tests.waiting import refusal
from turnpike.agent_runtime.agents.model import VARIABLES
from turnpike.agent_runtime.settings import Settings
from turnpike.api.agent_runtime.v1 import agent_pb2, agent_service_pb2, model_service_pb2
from turnpike.api.agent_runtime.v1.agent_pb2 import Agent, AgentSpec, AgentVersion
from turnpike.api.agent_runtime.v1.policy_pb2 import Policy
from turnpike.database.migration import MigrationUrls

CREATED = agent_service_pb2.CHANGE_CREATED
CHANGED = agent_service_pb2.CHANGE_CHANGED
UNCHANGED = agent_service_pb2.CHANGE_UNCHANGED


def agent(name: str = "agent", **fields: Any) -> Agent:
    values: dict[str, Any] = {"model": "model", **fields}
    return Agent(name=name, spec=AgentSpec(**values))


async def create(tenant: Tenant, wanted: Agent, **options: Any) -> Agent:
    request = agent_service_pb2.CreateAgentRequest(agent=wanted, **options)
    return (await tenant.runtime.agents.CreateAgent(request, metadata=tenant.admin)).agent


async def update(
    tenant: Tenant, wanted: Agent, **options: Any
) -> agent_service_pb2.UpdateAgentResponse:
    request = agent_service_pb2.UpdateAgentRequest(agent=wanted, **options)
    return await tenant.runtime.agents.UpdateAgent(request, metadata=tenant.admin)


async def get(tenant: Tenant, name: str = "agent") -> Agent:
    request = agent_service_pb2.GetAgentRequest(name=name)
    return (await tenant.runtime.agents.GetAgent(request, metadata=tenant.admin)).agent


async def delete(tenant: Tenant, name: str = "agent", etag: str = "") -> None:
    request = agent_service_pb2.DeleteAgentRequest(name=name, etag=etag)
    await tenant.runtime.agents.DeleteAgent(request, metadata=tenant.admin)


async def versions(tenant: Tenant, name: str = "agent", size: int = 0) -> list[AgentVersion]:
    found, token = list[AgentVersion](), ""
    while True:
        request = agent_service_pb2.ListAgentVersionsRequest(
            name=name, page_size=size, page_token=token
        )
        page = await tenant.runtime.agents.ListAgentVersions(request, metadata=tenant.admin)
        found += page.versions
        token = page.next_page_token
        if not token:
            return found


async def activate(tenant: Tenant, version: str, name: str = "agent") -> Agent:
    request = agent_service_pb2.ActivateAgentVersionRequest(name=name, version=version)
    return (await tenant.runtime.agents.ActivateAgentVersion(request, metadata=tenant.admin)).agent


@pytest.fixture
async def tenant(tenant: Tenant) -> Tenant:
    """A tenant with the built-in model."""
    await tenant.model()
    return tenant


async def test_an_agent_is_what_was_asked_for(tenant: Tenant):
    wanted = agent(
        instructions="Be brief.",
        tools=["shop/*", "clock/now"],
        max_steps=3,
        policy=Policy(allow=["shop/*"], deny=["shop/steal"]),
    )

    made = await create(tenant, wanted)

    assert made.spec == wanted.spec
    assert made.version_number == 1
    assert made == await get(tenant)


async def test_what_is_left_out_has_a_default(tenant: Tenant):
    made = await create(tenant, agent())

    assert (made.spec.max_steps, made.spec.instructions, list(made.spec.tools)) == (25, "", [])


async def test_a_name_is_taken_once(tenant: Tenant):
    results = await asyncio.gather(
        *(create(tenant, agent()) for _ in range(10)), return_exceptions=True
    )

    assert sum(isinstance(result, Agent) for result in results) == 1
    refused = await refusal(create(tenant, agent()))
    assert (refused.code, refused.reason) == (StatusCode.ALREADY_EXISTS, "CONFLICT")
    assert len(await versions(tenant)) == 1


async def test_every_change_is_a_version_and_nothing_else_is(tenant: Tenant):
    missing = await refusal(update(tenant, agent()))
    made = await update(tenant, agent(), allow_missing=True)
    same = await update(tenant, agent(max_steps=25))
    other = await update(tenant, agent(instructions="Be brief."))

    assert missing.code is StatusCode.NOT_FOUND
    assert [each.change for each in (made, same, other)] == [CREATED, UNCHANGED, CHANGED]
    assert made.agent.version == same.agent.version
    assert [(each.number, each.active) for each in await versions(tenant)] == [
        (2, True),
        (1, False),
    ]


async def test_updates_at_once_make_a_version_each(tenant: Tenant):
    await create(tenant, agent())

    await asyncio.gather(*(update(tenant, agent(max_steps=step)) for step in range(1, 11)))

    found = await versions(tenant, size=3)
    assert [each.number for each in found] == list(range(11, 0, -1))
    assert [each.active for each in found] == [True, *[False] * 10]


async def test_s1_a_version_is_active_at_once_and_so_is_a_roll_back(
    tenant: Tenant, settings: Settings, keys: Keys
):
    first = await create(tenant, agent(instructions="first"))
    second = (await update(tenant, agent(instructions="second"))).agent
    async with serving(settings.model_copy(update={"replica_name": "b"}), keys) as other:
        elsewhere = tenant.on(other)

        before = await tenant.start()
        rolled_back = await activate(elsewhere, first.version)
        after = await tenant.start()

    assert (before.agent_version, after.agent_version) == (second.version, first.version)
    assert rolled_back.spec.instructions == "first"
    assert rolled_back.etag != second.etag
    assert (await get(tenant)).version_number == 1


async def test_only_an_agent_s_own_versions_can_be_activated(tenant: Tenant):
    await create(tenant, agent("a"))
    theirs = await create(tenant, agent("b"))

    for version in (theirs.version, str(uuid4()), "x", "", "\0"):
        refused = await refusal(activate(tenant, version, "a"))
        assert refused.code is StatusCode.NOT_FOUND


async def test_a_version_whose_model_is_gone_cannot_be_activated(tenant: Tenant):
    await tenant.model("old")
    first = await create(tenant, agent(model="old"))
    second = (await update(tenant, agent())).agent
    request = model_service_pb2.DeleteModelRequest(name="old")
    await tenant.runtime.models.DeleteModel(request, metadata=tenant.admin)

    refused = await refusal(activate(tenant, first.version))

    assert (refused.reason, refused.fields) == (
        "INVALID_ARGUMENT",
        [("version", "its model 'old' is gone")],
    )
    assert (await get(tenant)).version == second.version


@pytest.mark.parametrize("role", ["service", "system"])
@pytest.mark.parametrize(
    "change", ["UPDATE agent_versions SET number = 9", "DELETE FROM agent_versions"]
)
async def test_a_version_never_changes_in_the_database_either(
    tenant: Tenant, urls: MigrationUrls, role: str, change: str
):
    connection = await asyncpg.connect(getattr(urls, role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(change)
    finally:
        await connection.close()


async def test_an_etag_guards_against_others_changes(tenant: Tenant):
    first = await create(tenant, agent())
    second = (await update(tenant, agent(max_steps=2), etag=first.etag)).agent

    refused = await refusal(update(tenant, agent(max_steps=3), etag=first.etag))
    not_deleted = await refusal(delete(tenant, etag=first.etag))
    await delete(tenant, etag=second.etag)

    assert refused.reason == not_deleted.reason == "ETAG_MISMATCH"
    assert (await refusal(get(tenant))).code is StatusCode.NOT_FOUND


async def test_validating_changes_nothing(tenant: Tenant):
    shown = await create(tenant, agent(), validate_only=True)
    absent = await refusal(get(tenant))
    before = await create(tenant, agent())
    would = await update(tenant, agent(max_steps=2), validate_only=True)

    assert shown.version_number == 1
    assert absent.code is StatusCode.NOT_FOUND
    assert (would.change, would.agent.spec.max_steps) == (CHANGED, 2)
    assert await get(tenant) == before
    assert len(await versions(tenant)) == 1


async def test_a_number_never_means_another_version(tenant: Tenant):
    await create(tenant, agent())
    await update(tenant, agent(max_steps=2))
    await delete(tenant)

    assert (await create(tenant, agent())).version_number == 3


async def test_a_turn_keeps_the_version_that_it_began_with(tenant: Tenant):
    made = await create(tenant, agent())
    turn = await tenant.start()
    await delete(tenant)

    assert (await tenant.ended(turn.id)).agent_version == made.version


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": "no-such-model"}, "agent.spec.model"),
        ({"model": "A"}, "agent.spec.model"),
        ({"policy": Policy(ask=["shop"])}, "agent.spec.policy.ask[0]"),
        ({"policy": Policy(deny=["shop"])}, "agent.spec.policy.deny[0]"),
        ({"tools": ["fine/tool", "not fine"]}, "agent.spec.tools[1]"),
        ({"max_steps": 1001}, "agent.spec.max_steps"),
        ({"instructions": "x" * 200_001}, "agent.spec.instructions"),
        ({"instructions": "It is {{current_time}}."}, "agent.spec.instructions"),
        ({"instructions": "{{current_date}} and {{ current_date }}"}, "agent.spec.instructions"),
        ({"instructions": "{{}}"}, "agent.spec.instructions"),
    ],
)
async def test_what_could_not_work_is_refused(tenant: Tenant, fields: dict[str, Any], path: str):
    refused = await refusal(create(tenant, agent(**fields)))
    unchanged = await refusal(update(tenant, agent(**fields), allow_missing=True))

    assert refused.reason == unchanged.reason == "INVALID_ARGUMENT"
    assert [field for field, _ in refused.fields] == [path]


async def test_every_variable_and_what_is_none_may_be_in_instructions(tenant: Tenant):
    known = " ".join("{{" + name + "}}" for name in VARIABLES)
    others = '{"a": {"b": 1}} {{"c"}} { {current_time} } {{{current_date}}}'

    made = await create(tenant, agent(instructions=known + others))

    assert made.spec.instructions == known + others
    assert (await tenant.ended((await tenant.start()).id)).error.reason == ""


async def test_an_inline_agent_is_checked_in_the_same_way(tenant: Tenant):
    unknown = agent_pb2.AgentSpec(model="no-such-model")
    wordy = agent_pb2.AgentSpec(model="model", instructions="{{x}}")

    refused = [await refusal(tenant.start(inline_agent=spec)) for spec in (unknown, wordy)]

    assert [each.fields[0][0] for each in refused] == [
        "inline_agent.model",
        "inline_agent.instructions",
    ]


async def test_the_same_inline_agent_is_one_version_however_many_bring_it(
    tenant: Tenant, superuser: asyncpg.Connection
):
    specs = [AgentSpec(model="model", instructions=f"{number % 3}") for number in range(30)]

    turns = await asyncio.gather(*(tenant.start(inline_agent=spec) for spec in specs))

    assert len({turn.agent_version for turn in turns}) == 3
    assert {turn.agent for turn in turns} == {""}
    stored = await superuser.fetchval(
        "SELECT count(*) FROM agent_versions WHERE tenant = $1 AND agent = ''", tenant.id
    )
    assert stored == 3


async def test_agents_are_listed_by_name_page_by_page(tenant: Tenant, runtime: Runtime):
    for name in ("b", "a", "c"):
        await create(tenant, agent(name))
    request = agent_service_pb2.ListAgentsRequest(page_size=2)
    first = await runtime.agents.ListAgents(request, metadata=tenant.admin)
    request.page_token = first.next_page_token
    second = await runtime.agents.ListAgents(request, metadata=tenant.admin)

    assert [each.name for each in first.agents] == ["a", "b"]
    assert [each.name for each in second.agents] == ["c"]
    assert second.next_page_token == ""


@pytest.mark.parametrize("role", ["viewer", "member"])
async def test_changes_are_for_admins(tenant: Tenant, runtime: Runtime, role: str):
    made = await create(tenant, agent())
    somebody = tenant.somebody(role)
    calls = [
        runtime.agents.CreateAgent(
            agent_service_pb2.CreateAgentRequest(agent=agent("x")), metadata=somebody
        ),
        runtime.agents.UpdateAgent(
            agent_service_pb2.UpdateAgentRequest(agent=agent(max_steps=2)), metadata=somebody
        ),
        runtime.agents.DeleteAgent(
            agent_service_pb2.DeleteAgentRequest(name="agent"), metadata=somebody
        ),
        runtime.agents.ActivateAgentVersion(
            agent_service_pb2.ActivateAgentVersionRequest(name="agent", version=made.version),
            metadata=somebody,
        ),
    ]

    refused = [await refusal(call) for call in calls]
    read = await runtime.agents.GetAgent(
        agent_service_pb2.GetAgentRequest(name="agent"), metadata=somebody
    )

    assert {each.reason for each in refused} == {"FORBIDDEN"}
    assert read.agent == made
