"""Policies and grants over REST: each route is one rpc, and what is said comes back."""

from typing import Any

import httpx
import pytest

from tests.gateway.upstream import TIME, Upstream
from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2 import SCOPE_PERSON, SCOPE_TENANT

TENANT: dict[str, Any] = {
    "enabled": True,
    "deny": ["disk/*"],
    "always_ask": ["mail/*"],
    "rules": [
        {
            "tool": "shop/buy",
            "effect": "ALWAYS_ASK",
            "where": [
                {"path": "/sum", "minimum": 100.0},
                {"path": "/to", "one_of": ["ann", 3, None, {"a": [True, 0.5]}]},
                {"path": "/x", "equals": None},
                {"path": "/n", "pattern": "*@home"},
            ],
            "reason": "money",
        }
    ],
    "reason": "ours",
    "defaults": {"mode": "DONT_ASK", "allow": ["*/read*"], "ask": [], "rules": [], "reason": ""},
    "approvals": {
        "approvers": [],
        "roles": ["admin"],
        "exclude_requester": True,
        "quorum": 2,
        "expires_after": 1800.0,
        "on_expiry": "reject",
        "escalate_to": [],
        "escalate_to_roles": [],
        "incremental": False,
    },
    "text_filters": [
        {"name": "card", "pattern": "4\\d{15}", "action": "MASK", "reason": "money"},
        {"name": "word", "pattern": "(?i)secret", "action": "REFUSE", "reason": ""},
    ],
}
PERSON: dict[str, Any] = {"ask": ["mail/*"], "deny": [], "rules": [], "reason": "mine"}


async def test_what_is_said_goes_in_and_comes_back(upstream: Upstream, client: httpx.AsyncClient):
    first = await client.put("/api/v1/policies/tenant", json=TENANT)
    [said] = upstream.other.requests
    upstream.other.answers.update(
        UpdatePolicy=pb.UpdatePolicyResponse(
            version=version(tenant=said.tenant), change="CHANGE_CREATED"
        ),
        GetPolicy=pb.GetPolicyResponse(version=version(tenant=said.tenant)),
        ListPolicyVersions=pb.ListPolicyVersionsResponse(versions=[version(tenant=said.tenant)]),
    )

    put = await client.put(
        "/api/v1/policies/tenant?validate_only=true", json=TENANT, headers={"if-match": '"e1"'}
    )
    got = await client.get("/api/v1/policies/tenant")
    listed = await client.get("/api/v1/policies/tenant/versions?page_size=2")

    assert first.status_code >= 500
    _, second, third, fourth = upstream.other.requests
    assert (second.tenant, second.etag, second.validate_only) == (said.tenant, "e1", True)
    assert (third.scope, fourth.scope, fourth.page_size) == (SCOPE_TENANT, SCOPE_TENANT, 2)
    assert (put.headers["etag"], put.headers["x-turnpike-result"]) == ('"e1"', "created")
    body = got.json()
    assert listed.json()["versions"] == [body] == [put.json()]
    assert body.pop("defaults") == {**TENANT["defaults"], "deny": []}
    assert {name: body[name] for name in body if name in TENANT} == {
        name: TENANT[name] for name in TENANT if name != "defaults"
    }
    assert (body["version"], body["number"], body["created_by"]) == ("v1", 4, "ann")


async def test_a_person_says_it_of_themselves(upstream: Upstream, client: httpx.AsyncClient):
    unsaid = pb.PolicyVersion()
    unsaid.person.SetInParent()
    upstream.other.answers.update(
        GetPolicy=pb.GetPolicyResponse(version=unsaid),
        UpdatePolicy=pb.UpdatePolicyResponse(version=unsaid, change="CHANGE_CHANGED"),
    )

    got = await client.get("/api/v1/policies/person")
    put = await client.put("/api/v1/policies/person", json=PERSON)

    asked, changed = upstream.other.requests
    assert (got.json()["version"], got.json()["updated"], put.status_code) == ("", None, 200)
    assert asked.scope == SCOPE_PERSON
    assert (list(changed.person.ask), changed.person.reason) == (["mail/*"], "mine")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("tenant", {"rules": [{"tool": "a/b", "effect": "ALLOW"}]}, "rules[0].effect"),
        ("tenant", {"defaults": {"deny": ["a/b"]}}, "defaults.deny"),
        ("tenant", {"deny": ["nonsense"]}, "deny[0]"),
        ("person", {"allow": ["a/b"]}, "allow"),
        ("person", {"rules": [{"tool": "a/b", "effect": "ALLOW"}]}, "rules[0].effect"),
        (
            "person",
            {"rules": [{"tool": "a/b", "effect": "ASK", "where": [{"path": "/a"}]}]},
            "rules[0].where[0]",
        ),
        (
            "person",
            {"rules": [{"tool": "a/b", "effect": "ASK", "where": [{"equals": 1, "minimum": 1}]}]},
            "rules[0].where[0]",
        ),
        (
            "person",
            {"rules": [{"tool": "a/b", "effect": "ASK", "where": [{"path": "a", "equals": 1}]}]},
            "rules[0].where[0].path",
        ),
    ],
)
async def test_what_cannot_be_said_is_refused_with_its_field(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
):
    refused = await client.put(f"/api/v1/policies/{path}", json=body)

    assert refused.status_code == 400
    assert [each["field"] for each in refused.json()["errors"]] == [field]


async def test_an_explanation_and_grants(upstream: Upstream, client: httpx.AsyncClient):
    grant = pb.Grant(id="g", tool="mail/send", create_time=TIME)
    grant.where.add(path="/to", pattern="*@home")
    upstream.other.answers.update(
        Explain=pb.ExplainResponse(
            verdict="VERDICT_ASK", source="SKILL", skill="s", decisions=["approve"]
        ),
        ListGrants=pb.ListGrantsResponse(grants=[grant], next_page_token="n"),
        RevokeGrant=pb.RevokeGrantResponse(grant=grant),
    )
    question = {"agent": "a", "tool": "mail/send", "arguments": {"to": "ann"}, "skills": ["s"]}

    told = await client.post("/api/v1/policies:explain", json=question)
    listed = await client.get("/api/v1/grants?show_ended=true")
    revoked = await client.delete("/api/v1/grants/g")

    asked, listing, revoking = upstream.other.requests
    assert (asked.arguments, listing.show_ended, revoking.id) == ('{"to":"ann"}', True, "g")
    assert (told.json()["verdict"], told.json()["decisions"]) == ("ASK", ["approve"])
    assert (list(asked.skills), told.json()["source"], told.json()["skill"]) == (
        ["s"],
        "SKILL",
        "s",
    )
    [shown] = listed.json()["grants"]
    assert shown["where"] == [{"path": "/to", "pattern": "*@home"}]
    assert (shown["expires"], shown["revoked"], revoked.status_code) == (None, None, 204)


def version(**policy: Any) -> pb.PolicyVersion:
    return pb.PolicyVersion(
        id="v1", number=4, created_by="ann", create_time=TIME, etag="e1", **policy
    )
