"""What tenants and people say: kept, versioned, explained, and in force at once."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.agent_runtime.serving import Tenant
from tests.waiting import refusal
from turnpike.agent_runtime.policy.judgement import Kind, Source, ToolCall
from turnpike.agent_runtime.policy.judging import Judges, Subject
from turnpike.agent_runtime.policy.model import Policy
from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2 import SCOPE_PERSON, SCOPE_TENANT
from turnpike.api.agent_runtime.v1.policy_pb2 import PersonPolicy, Rule, TenantPolicy
from turnpike.database.engine import open_pool
from turnpike.database.migration import MigrationUrls

KEEP = "SELECT keep_grant($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
SEND = ToolCall(
    tool="mail/send", arguments='{"to": "ann@home"}', digest="sha256:1", connector="mail-1"
)


@pytest.fixture
async def judges(urls: MigrationUrls) -> AsyncGenerator[Judges]:
    """Another replica's."""
    async with await open_pool(urls.service, max_size=2) as pool:
        yield Judges(pool)


def subject(tenant: Tenant, principal: str = "", **policy: Any) -> Subject:
    whose = principal or tenant.made.principal
    return Subject(
        tenant=UUID(tenant.id),
        principal=UUID(whose),
        agent_version=uuid4(),
        policy=Policy(**policy),
    )


async def say(whose: Tenant, **said: Any) -> pb.UpdatePolicyResponse:
    """Makes the tenant's policy what is said, or the admin's own."""
    return await whose.runtime.policies.UpdatePolicy(
        pb.UpdatePolicyRequest(**said), metadata=whose.admin
    )


async def keep(superuser: asyncpg.Connection, tenant: Tenant, **other: Any) -> UUID:
    """Keeps a grant of the admin's for `mail/send`; `other` overrides."""
    values: dict[str, Any] = {
        "tenant": UUID(tenant.id),
        "id": uuid4(),
        "principal": UUID(tenant.made.principal),
        "tool": SEND.tool,
        "digest": SEND.digest,
        "conditions": "[]",
        "expires": None,
        "by": uuid4(),
        "approval": uuid4(),
        "connector": SEND.connector,
        **other,
    }
    await superuser.execute(KEEP, *values.values())
    return values["id"]


async def verdict(judges: Judges, tenant: Tenant, call: ToolCall = SEND, **policy: Any) -> Kind:
    [came] = await judges.judge(subject(tenant, **policy or {"ask": ("*/*",)}), [call])
    return came.kind


async def test_what_a_tenant_says_is_kept_as_versions(tenant: Tenant):
    policies = tenant.runtime.policies
    get = pb.GetPolicyRequest()
    before = (await policies.GetPolicy(get, metadata=tenant.admin)).version
    rules = [Rule(tool="shop/*", effect="RULE_EFFECT_ALWAYS_ASK", reason="money")]
    first = TenantPolicy(deny=["disk/*"], rules=rules)
    first.rules[0].where.add(path="/sum").range.minimum = 100
    values: Any = ["ann", 3, None, {"a": [True]}]
    first.rules[0].where.add(path="/to").one_of.extend(values)
    first.rules[0].where.add(path="").equals.string_value = "x"
    first.rules[0].where.add(path="/n~1a", pattern="*@home")

    made = await say(tenant, tenant=first)
    again = await say(tenant, tenant=first)
    changed = await say(tenant, tenant=TenantPolicy(disabled=True), etag=made.version.etag)
    stale = await refusal(say(tenant, tenant=first, etag=made.version.etag))
    dry = await say(tenant, tenant=first, validate_only=True)
    now = (await policies.GetPolicy(get, metadata=tenant.admin)).version
    request = pb.ListPolicyVersionsRequest(page_size=1)
    page = await policies.ListPolicyVersions(request, metadata=tenant.admin)
    request.page_token = page.next_page_token
    rest = await policies.ListPolicyVersions(request, metadata=tenant.admin)

    assert (before.number, before.etag, before.HasField("tenant")) == (0, "", True)
    assert (made.version.tenant, made.version.number) == (first, 1)
    results = [each.change for each in (made, again)]
    assert results == [1, 3] and changed.change == 2 and dry.change == 2
    assert stale.reason == "ETAG_MISMATCH"
    assert now == changed.version and now.number == 2 and now.tenant.disabled
    assert now.created_by == tenant.made.principal
    assert [*page.versions, *rest.versions] == [changed.version, made.version]


async def test_of_two_who_change_a_policy_at_once_one_learns_of_the_other(tenant: Tenant):
    tools = [f"c{number}/*" for number in range(8)]
    changes = [say(tenant, tenant=TenantPolicy(deny=[each])) for each in tools]

    made = await asyncio.gather(*changes)
    etag = max((each.version for each in made), key=lambda version: version.number).etag
    attempts = [say(tenant, tenant=TenantPolicy(always_ask=[each]), etag=etag) for each in tools]
    came = await asyncio.gather(*attempts, return_exceptions=True)

    assert sorted(each.version.number for each in made) == list(range(1, 9))
    assert sum(isinstance(each, pb.UpdatePolicyResponse) for each in came) == 1


async def test_a_person_says_what_only_tightens_and_only_their_own_turns(
    tenant: Tenant, judges: Judges
):
    person = PersonPolicy(ask=["mail/*"], deny=["disk/*"], reason="mine")
    await say(tenant, person=person)
    other = str(uuid4())
    policies, get = tenant.runtime.policies, pb.GetPolicyRequest(scope=SCOPE_PERSON)
    own = (await policies.GetPolicy(get, metadata=tenant.admin)).version
    others = await policies.GetPolicy(get, metadata=tenant.somebody("admin", other))
    mine, theirs = (subject(tenant, each, allow=("*/*",)) for each in ("", other))
    calls = [SEND, ToolCall(tool="disk/wipe", arguments="{}", digest="d")]

    of_mine = await judges.judge(mine, calls)
    of_theirs = await judges.judge(theirs, calls)

    assert own.person == person and own.number == 1
    assert not others.version.id and others.version.HasField("person")
    assert [each.kind for each in of_mine] == [Kind.ASK, Kind.DENY]
    assert {each.source for each in of_mine} == {Source.PERSON}
    assert {each.person_policy for each in of_mine} == {own.id}
    assert [each.kind for each in of_theirs] == [Kind.ALLOW, Kind.ALLOW]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"tenant": TenantPolicy(deny=["no pattern"])}, "tenant.deny[0]"),
        (
            {"tenant": TenantPolicy(rules=[Rule(tool="a/b", effect="RULE_EFFECT_ALLOW")])},
            "tenant.rules[0].effect",
        ),
        ({"tenant": TenantPolicy(rules=[Rule(tool="a/b")])}, "tenant.rules[0].effect"),
        ({"tenant": TenantPolicy(defaults={"deny": ["a/b"]})}, "tenant.defaults.deny"),
        (
            {
                "tenant": TenantPolicy(
                    defaults={"rules": [Rule(tool="a/b", effect="RULE_EFFECT_DENY")]}
                )
            },
            "tenant.defaults.rules[0].effect",
        ),
        (
            {"person": PersonPolicy(rules=[Rule(tool="a/b", effect="RULE_EFFECT_ALLOW")])},
            "person.rules[0].effect",
        ),
        (
            {"person": PersonPolicy(rules=[Rule(tool="a/b", effect="RULE_EFFECT_ALWAYS_ASK")])},
            "person.rules[0].effect",
        ),
        (
            {"person": {"rules": [{"tool": "a/b", "effect": 2, "where": [{"path": "/a"}]}]}},
            "person.rules[0].where[0].test",
        ),
        (
            {
                "person": {
                    "rules": [
                        {"tool": "a/b", "effect": 2, "where": [{"path": "/~2", "pattern": "x"}]}
                    ]
                }
            },
            "person.rules[0].where[0].path",
        ),
        (
            {
                "person": {
                    "rules": [{"tool": "a/b", "effect": 2, "where": [{"path": "/a", "range": {}}]}]
                }
            },
            "person.rules[0].where[0].range",
        ),
        (
            {
                "person": {
                    "rules": [
                        {
                            "tool": "a/b",
                            "effect": 2,
                            "where": [{"equals": {"number_value": float("nan")}}],
                        }
                    ]
                }
            },
            "person.rules[0].where[0].equals",
        ),
        ({}, "policy"),
    ],
)
async def test_what_cannot_be_said_is_refused_with_its_field(
    tenant: Tenant, said: dict[str, Any], field: str
):
    refused = await refusal(say(tenant, **said))

    assert refused.reason == "INVALID_ARGUMENT"
    assert [field for field, _ in refused.fields] == [field]


async def test_a_tenant_s_policy_is_for_admins_to_change_and_one_s_own_for_members(
    tenant: Tenant,
):
    policies = tenant.runtime.policies
    of_tenant = pb.UpdatePolicyRequest(tenant=TenantPolicy())
    of_person = pb.UpdatePolicyRequest(person=PersonPolicy())
    asked = pb.ExplainRequest(agent="a", tool="a/b", principal=tenant.made.principal)
    member, viewer = tenant.somebody("member"), tenant.somebody("viewer")

    refused = [
        await refusal(policies.UpdatePolicy(of_tenant, metadata=member)),
        await refusal(policies.UpdatePolicy(of_person, metadata=viewer)),
        await refusal(policies.Explain(asked, metadata=member)),
    ]
    made = await policies.UpdatePolicy(of_person, metadata=member)

    assert [each.reason for each in refused] == ["FORBIDDEN"] * 3
    assert made.version.number == 1


async def test_r29_an_explanation_says_what_would_become_of_a_call_and_why(
    tenant: Tenant, judges: Judges
):
    await tenant.model()
    rules = [{"tool": "mail/send", "effect": 2, "where": [{"path": "/to", "pattern": "*@home"}]}]
    policy = {"allow": ["*/*"], "rules": rules, "reason": "think of {tool}"}
    agent = await tenant.agent(policy=policy)
    await say(tenant, tenant=TenantPolicy(deny=["disk/*"]))
    member = str(uuid4())

    async def explain(**fields: Any) -> pb.ExplainResponse:
        request = pb.ExplainRequest(agent="agent", **fields)
        return await tenant.runtime.policies.Explain(request, metadata=tenant.admin)

    asked = await explain(tool="mail/send", arguments='{"to": "ann@home"}', principal=member)
    allowed = await explain(tool="mail/send", arguments='{"to": "ann@work"}')
    denied = await explain(tool="disk/wipe")
    nobody = pb.ExplainRequest(agent="nobody", tool="a/b")
    missing = await refusal(tenant.runtime.policies.Explain(nobody, metadata=tenant.admin))

    assert (asked.verdict, asked.source, asked.rule) == (2, "AGENT", "mail/send")
    assert asked.reason == "policy asks a person before 'mail/send': think of mail/send"
    # The agent does not have the tool, so nobody could keep a grant for it.
    assert list(asked.decisions) == ["approve", "edit", "respond", "reject"] and not asked.known
    assert (allowed.verdict, allowed.rule, list(allowed.decisions)) == (1, "*/*", [])
    assert (denied.verdict, denied.source) == (3, "TENANT")
    assert (denied.agent_version, bool(denied.tenant_policy)) == (agent.version, True)
    assert missing.reason == "NOT_FOUND"


async def test_of_many_tools_it_is_said_at_once_which_are_denied(tenant: Tenant):
    some = {"tool": "mail/send", "effect": 3, "where": [{"path": "/to", "pattern": "*@home"}]}
    await say(tenant, tenant=TenantPolicy(deny=["disk/*"], always_ask=["web/*"], rules=[some]))
    asked = pb.ExplainToolsRequest(tools=["web/get", "disk/wipe", "mail/send", "a/b", "disk/dir"])

    async def denied(**fields: Any) -> list[str]:
        metadata = tenant.somebody(**fields) if fields else tenant.admin
        told = await tenant.runtime.policies.ExplainTools(asked, metadata=metadata)
        return list(told.denied)

    assert await denied() == ["disk/wipe", "disk/dir"]
    assert await denied(role="viewer") == ["disk/wipe", "disk/dir"]
    await say(tenant, tenant=TenantPolicy(disabled=True, deny=["disk/*"]))
    assert await denied() == []


async def test_a_change_of_policy_holds_for_the_next_judgement_on_every_replica(
    tenant: Tenant, judges: Judges
):
    came = [await verdict(judges, tenant, allow=("*/*",))]
    for said in (
        TenantPolicy(always_ask=["mail/*"]),
        TenantPolicy(deny=["mail/*"]),
        TenantPolicy(disabled=True, deny=["mail/*"]),
        TenantPolicy(),
    ):
        await say(tenant, tenant=said)
        came.append(await verdict(judges, tenant, allow=("*/*",)))

    assert came == [Kind.ALLOW, Kind.ASK, Kind.DENY, Kind.ALLOW, Kind.ALLOW]


async def test_r30_a_grant_holds_until_it_is_revoked_or_expires_or_the_tool_changes(
    tenant: Tenant, judges: Judges, superuser: asyncpg.Connection
):
    changed = replace(SEND, digest="sha256:2")
    elsewhere = replace(SEND, connector="mail-2")
    came = [await verdict(judges, tenant)]
    grant = await keep(superuser, tenant)
    came += [await verdict(judges, tenant), await verdict(judges, tenant, changed)]
    came.append(await verdict(judges, tenant, elsewhere))
    await say(tenant, tenant=TenantPolicy(always_ask=["mail/send"]))
    came.append(await verdict(judges, tenant))
    await say(tenant, tenant=TenantPolicy())
    came.append(await verdict(judges, tenant))
    request = pb.RevokeGrantRequest(id=str(grant))
    revoked = await tenant.runtime.policies.RevokeGrant(request, metadata=tenant.admin)
    came.append(await verdict(judges, tenant))
    again = await tenant.runtime.policies.RevokeGrant(request, metadata=tenant.admin)
    await keep(superuser, tenant, expires=datetime.now(UTC) - timedelta(seconds=1))
    await keep(superuser, tenant, principal=uuid4())
    came.append(await verdict(judges, tenant))

    ask, allow = Kind.ASK, Kind.ALLOW
    assert came == [ask, allow, ask, ask, ask, allow, ask, ask]
    assert revoked.grant.revoked_by == tenant.made.principal
    # Of a grant that has ended nothing changes any more.
    assert again.grant == revoked.grant


async def test_r30_no_judgement_after_a_revocation_runs_by_the_grant(
    tenant: Tenant, judges: Judges, superuser: asyncpg.Connection
):
    """Judged beside a revocation that has not committed it stands; after it, it does not."""
    grant = await keep(superuser, tenant)
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("UPDATE grants SET revoked = now() WHERE id = $1", grant)
    beside = await verdict(judges, tenant)
    await transaction.commit()

    assert (beside, await verdict(judges, tenant)) == (Kind.ALLOW, Kind.ASK)


async def test_r30_a_grant_may_be_for_some_arguments_alone(
    tenant: Tenant, judges: Judges, superuser: asyncpg.Connection
):
    conditions = '[{"path": "/to", "test": "PATTERN", "operand": "*@home"}]'
    await keep(superuser, tenant, conditions=conditions)
    calls = [
        replace(SEND, arguments=arguments)
        for arguments in ('{"to": "bob@home"}', '{"to": "eve@away"}', '{"to":"a@home","to":"e"}')
    ]

    came = [await verdict(judges, tenant, call) for call in calls]
    listed = await tenant.runtime.policies.ListGrants(pb.ListGrantsRequest(), metadata=tenant.admin)

    assert came == [Kind.ALLOW, Kind.ASK, Kind.ASK]
    assert listed.grants[0].where[0].pattern == "*@home"


@pytest.mark.parametrize(
    "wrong",
    [{"tool": "*"}, {"tool": "*/*"}, {"tool": "mail/*"}, {"tool": "mail"}, {"digest": ""}],
    ids=lambda wrong: "-".join(wrong.values()) or "no-digest",
)
async def test_r30_a_grant_of_a_pattern_or_of_no_definition_cannot_be_kept(
    tenant: Tenant, superuser: asyncpg.Connection, wrong: dict[str, str]
):
    with pytest.raises(asyncpg.CheckViolationError):
        await keep(superuser, tenant, **wrong)


async def test_grants_are_listed_and_revoked_by_whom_they_are_for_and_by_admins(
    tenant: Tenant, superuser: asyncpg.Connection
):
    member, policies = str(uuid4()), tenant.runtime.policies
    mine = await keep(superuser, tenant)
    theirs = [await keep(superuser, tenant, principal=UUID(member)) for _ in range(2)]
    as_member = tenant.somebody("member", member)

    async def ids(metadata: Any, **fields: Any) -> list[str]:
        found: list[str] = []
        request = pb.ListGrantsRequest(page_size=1, **fields)
        while True:
            page = await policies.ListGrants(request, metadata=metadata)
            found += [each.id for each in page.grants]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    everybody_s, own = await ids(tenant.admin), await ids(as_member)
    foreign = policies.RevokeGrant(pb.RevokeGrantRequest(id=str(mine)), metadata=as_member)
    refused = await refusal(foreign)
    await policies.RevokeGrant(pb.RevokeGrantRequest(id=str(theirs[0])), metadata=as_member)

    assert everybody_s == [str(each) for each in (theirs[1], theirs[0], mine)]
    assert own == [str(theirs[1]), str(theirs[0])]
    assert refused.reason == "NOT_FOUND"
    assert await ids(as_member) == [str(theirs[1])]
    assert await ids(as_member, show_ended=True) == own


async def test_policies_and_grants_are_a_tenant_s_own(
    tenant: Tenant, new_tenant: Any, judges: Judges, superuser: asyncpg.Connection
):
    stranger = await new_tenant()
    grant = await keep(superuser, tenant)
    await say(tenant, tenant=TenantPolicy(deny=["mail/*"]))
    policies = stranger.runtime.policies
    get = pb.GetPolicyRequest(scope=SCOPE_TENANT)
    revoke = pb.RevokeGrantRequest(id=str(grant))

    seen = await policies.GetPolicy(get, metadata=stranger.admin)
    grants = await policies.ListGrants(pb.ListGrantsRequest(), metadata=stranger.admin)
    refused = await refusal(policies.RevokeGrant(revoke, metadata=stranger.admin))

    assert not seen.version.id and not grants.grants
    assert refused.reason == "NOT_FOUND"
    assert await verdict(judges, stranger, allow=("*/*",)) is Kind.ALLOW
    assert await verdict(judges, tenant, allow=("*/*",)) is Kind.DENY
