"""Skills: every change is a new version, and no agent names one that there is not."""

import asyncio
from typing import Any

import asyncpg
import pytest
from grpc import StatusCode

from tests.agent_runtime.serving import Runtime, Tenant
from tests.agent_runtime.skills.keeping import (
    create_skill,
    delete_skill,
    get_skill,
    put_skill,
    rule,
    skill,
)
from tests.waiting import refusal, until
from turnpike.api.agent_runtime.v1 import agent_pb2, agent_service_pb2
from turnpike.api.agent_runtime.v1 import skill_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_pb2 import Rule
from turnpike.database.migration import MigrationUrls

CREATED = agent_service_pb2.CHANGE_CREATED
CHANGED = agent_service_pb2.CHANGE_CHANGED
UNCHANGED = agent_service_pb2.CHANGE_UNCHANGED


@pytest.fixture
async def tenant(tenant: Tenant) -> Tenant:
    """A tenant with the built-in model."""
    await tenant.model()
    return tenant


async def test_a_skill_is_what_was_asked_for(tenant: Tenant):
    wanted = skill(description="Über\nall.", instructions="# Do\n\n`{{x}}` ${var.X}\n")

    made = await create_skill(tenant, wanted)

    said = (made.name, made.description, made.instructions, made.version_number)
    assert said == ("careful", wanted.description, wanted.instructions, 1)
    assert made == await get_skill(tenant)


async def test_every_change_is_a_version_and_nothing_else_is(tenant: Tenant):
    missing = await refusal(put_skill(tenant, skill(), allow_missing=False))
    made = await put_skill(tenant, skill())
    same = await put_skill(tenant, skill())
    other = await put_skill(tenant, skill(instructions="Take more."), etag=made.skill.etag)
    stale = await refusal(put_skill(tenant, skill(), etag=made.skill.etag))
    await delete_skill(tenant, etag=other.skill.etag)
    again = await create_skill(tenant, skill())

    assert missing.code is StatusCode.NOT_FOUND
    assert [each.change for each in (made, same, other)] == [CREATED, UNCHANGED, CHANGED]
    assert made.skill == same.skill
    assert stale.reason == "ETAG_MISMATCH"
    assert [each.version_number for each in (made.skill, other.skill, again)] == [1, 2, 3]
    assert len({each.version for each in (made.skill, other.skill, again)}) == 3


async def test_a_name_is_taken_once_and_updates_at_once_make_a_version_each(tenant: Tenant):
    results = await asyncio.gather(
        *(create_skill(tenant, skill()) for _ in range(10)), return_exceptions=True
    )
    changes = await asyncio.gather(
        *(put_skill(tenant, skill(instructions=f"{number}")) for number in range(10))
    )

    assert sum(isinstance(result, pb.Skill) for result in results) == 1
    assert (await refusal(create_skill(tenant, skill()))).reason == "CONFLICT"
    assert sorted(each.skill.version_number for each in changes) == list(range(2, 12))


async def test_validating_changes_nothing(tenant: Tenant):
    shown = await create_skill(tenant, skill(), validate_only=True)
    absent = await refusal(get_skill(tenant))
    before = await create_skill(tenant, skill())
    would = await put_skill(tenant, skill(description="Else."), validate_only=True)

    assert (shown.version_number, absent.code) == (1, StatusCode.NOT_FOUND)
    assert (would.change, would.skill.description) == (CHANGED, "Else.")
    assert await get_skill(tenant) == before


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": "No Name"}, "skill.name"),
        ({"name": ""}, "skill.name"),
        ({"description": ""}, "skill.description"),
        ({"description": " \n"}, "skill.description"),
        ({"description": "x" * 1025}, "skill.description"),
        ({"instructions": ""}, "skill.instructions"),
        ({"instructions": "\0"}, "skill.instructions"),
        ({"instructions": "ü" * 32_769}, "skill.instructions"),
    ],
)
async def test_what_could_not_work_is_refused(tenant: Tenant, fields: dict[str, Any], path: str):
    wanted = skill(**fields)

    refused = await refusal(create_skill(tenant, wanted))
    unchanged = await refusal(put_skill(tenant, wanted))

    assert refused.reason == unchanged.reason == "INVALID_ARGUMENT"
    assert [field for field, _ in refused.fields] == [path]


async def test_rules_are_kept_with_the_skill(tenant: Tenant):
    rules = [rule("ASK", tag="a*"), rule("DENY")]
    rules[0].where.add(path="/n").range.maximum = 3

    made = await put_skill(tenant, skill(rules=rules))
    same = await put_skill(tenant, skill(rules=rules))
    less = await put_skill(tenant, skill())

    assert (list(made.skill.rules), list(less.skill.rules)) == (rules, [])
    assert [each.change for each in (made, same, less)] == [CREATED, UNCHANGED, CHANGED]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule("ALLOW"), "skill.rules[1].effect"),
        (rule("ALWAYS_ASK"), "skill.rules[1].effect"),
        (rule("UNSPECIFIED"), "skill.rules[1].effect"),
        (Rule(tool="transfer", effect="RULE_EFFECT_DENY"), "skill.rules[1].tool"),
    ],
)
async def test_a_rule_that_does_not_tighten_is_refused(tenant: Tenant, wrong: Rule, field: str):
    refused = await refusal(put_skill(tenant, skill(rules=[rule(), wrong])))

    assert (refused.reason, [name for name, _ in refused.fields]) == ("INVALID_ARGUMENT", [field])


async def test_the_longest_is_kept(tenant: Tenant):
    wanted = skill(description="ü" * 1024, instructions="ü" * 32_768)

    assert (await create_skill(tenant, wanted)).instructions == wanted.instructions


async def test_skills_are_listed_by_name_page_by_page(tenant: Tenant, runtime: Runtime):
    for name in ("b", "a", "c"):
        await create_skill(tenant, skill(name))
    request = pb.ListSkillsRequest(page_size=2)
    first = await runtime.skills.ListSkills(request, metadata=tenant.admin)
    request.page_token = first.next_page_token
    second = await runtime.skills.ListSkills(request, metadata=tenant.admin)

    assert [each.name for each in first.skills] == ["a", "b"]
    assert [each.name for each in second.skills] == ["c"]
    assert second.next_page_token == ""


async def test_versions_are_listed_newest_first_page_by_page(tenant: Tenant, runtime: Runtime):
    await create_skill(tenant, skill(instructions="1"))
    await put_skill(tenant, skill(instructions="2", rules=[rule()]))
    last = await put_skill(tenant, skill(instructions="3"))
    await create_skill(tenant, skill("another"))
    request = pb.ListSkillVersionsRequest(name="careful", page_size=2)
    first = await runtime.skills.ListSkillVersions(request, metadata=tenant.admin)
    request.page_token = first.next_page_token
    second = await runtime.skills.ListSkillVersions(request, metadata=tenant.admin)
    missing = pb.ListSkillVersionsRequest(name="other")

    versions = [*first.versions, *second.versions]
    assert [(each.number, each.instructions) for each in versions] == [(3, "3"), (2, "2"), (1, "1")]
    assert [each.active for each in versions] == [True, False, False]
    assert [list(each.rules) for each in versions] == [[], [rule()], []]
    assert versions[0].id == last.skill.version
    assert second.next_page_token == ""
    refused = await refusal(runtime.skills.ListSkillVersions(missing, metadata=tenant.admin))
    assert refused.code is StatusCode.NOT_FOUND


async def test_an_agent_names_skills_that_there_are(tenant: Tenant):
    await create_skill(tenant, skill())
    names = ["none", "careful", "nor-this"]

    kept = await tenant.agent(skills=["careful"])
    refused = await refusal(tenant.agent(model="nobody", skills=names))
    inline = agent_pb2.AgentSpec(model="model", skills=["none"])
    not_started = await refusal(tenant.start(inline_agent=inline))
    twice = await refusal(tenant.agent(skills=["careful", "careful"]))

    assert list(kept.spec.skills) == ["careful"]
    paths = ["agent.spec.model", "agent.spec.skills[0]", "agent.spec.skills[2]"]
    assert [field for field, _ in refused.fields] == paths
    assert not_started.fields == [("inline_agent.skills[0]", "there is no skill 'none'")]
    assert twice.fields[0][0] == "agent.spec.skills"


async def test_a_skill_that_an_agent_names_is_not_deleted(tenant: Tenant, runtime: Runtime):
    await create_skill(tenant, skill())
    first = await tenant.agent(skills=["careful"])

    refused = await refusal(delete_skill(tenant))
    await tenant.agent()
    await delete_skill(tenant)
    request = agent_service_pb2.ActivateAgentVersionRequest(name="agent", version=first.version)
    not_back = await refusal(runtime.agents.ActivateAgentVersion(request, metadata=tenant.admin))

    assert (refused.reason, refused.metadata) == ("IN_USE", {"kind": "agent", "id": "agent"})
    assert not_back.fields == [("version", "its skill 'careful' is gone")]


async def test_an_agent_and_a_deletion_of_its_skill_take_turns(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """Whichever comes first: no agent names a skill that is gone."""
    await create_skill(tenant, skill())

    async def waits() -> bool:
        return await superuser.fetchval(
            "SELECT count(*) > 0 FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )

    async with superuser.transaction():
        # As an agent's change has it, from its look at the skill on.
        await superuser.execute("SELECT FROM skills WHERE tenant = $1 FOR SHARE", tenant.id)
        deleting = asyncio.create_task(delete_skill(tenant))
        await until(waits)
        await tenant.agent(skills=["careful"])
    kept = await refusal(deleting)
    await tenant.agent()
    async with superuser.transaction():
        await superuser.execute("DELETE FROM skills WHERE tenant = $1", tenant.id)
        naming = asyncio.create_task(tenant.agent(skills=["careful"]))
        await until(waits)
    gone = await refusal(naming)

    assert kept.reason == "IN_USE"
    assert gone.fields == [("agent.spec.skills[0]", "there is no skill 'careful'")]


@pytest.mark.parametrize("role", ["viewer", "member"])
async def test_changes_are_for_admins(tenant: Tenant, runtime: Runtime, role: str):
    await create_skill(tenant, skill())
    somebody = tenant.somebody(role)
    calls = [
        runtime.skills.CreateSkill(pb.CreateSkillRequest(skill=skill("x")), metadata=somebody),
        runtime.skills.UpdateSkill(pb.UpdateSkillRequest(skill=skill()), metadata=somebody),
        runtime.skills.DeleteSkill(pb.DeleteSkillRequest(name="careful"), metadata=somebody),
    ]

    refused = [await refusal(call) for call in calls]
    read = await runtime.skills.GetSkill(pb.GetSkillRequest(name="careful"), metadata=somebody)

    assert {each.reason for each in refused} == {"FORBIDDEN"}
    assert read.skill.instructions == "Take care."


@pytest.mark.parametrize("role", ["service", "system"])
@pytest.mark.parametrize("table", ["skill_versions", "turn_skills"])
@pytest.mark.parametrize("change", ["UPDATE {} SET tenant = tenant", "DELETE FROM {}"])
async def test_what_a_turn_has_never_changes_in_the_database_either(
    urls: MigrationUrls, role: str, table: str, change: str
):
    connection = await asyncpg.connect(getattr(urls, role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(change.format(table))
    finally:
        await connection.close()
