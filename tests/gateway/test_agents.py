"""Agents: each route is one rpc, translated both ways."""

from typing import Any

import grpc
import httpx
import pytest

from tests.gateway.upstream import CREATED, TIME, RefusedError, Upstream
from turnpike.api.agent_runtime.v1 import agent_service_pb2 as agents

SPEC: dict[str, Any] = {
    "model": "gpt",
    "instructions": "Be kind.",
    "tools": ["time/*"],
    "max_steps": 5,
    "skills": ["careful"],
    "policy": {
        "mode": "DONT_ASK",
        "allow": ["*/*"],
        "ask": ["shop/*"],
        "deny": ["time/set"],
        "rules": [
            {
                "tool": "shop/buy",
                "effect": "ALLOW",
                "where": [{"path": "/price", "maximum": 10.0}],
                "reason": "cheap",
            }
        ],
        "reason": "because",
    },
}
SPEC_MESSAGE: dict[str, Any] = SPEC | {
    "policy": {
        **SPEC["policy"],
        "mode": "POLICY_MODE_DONT_ASK",
        "rules": [
            {
                **SPEC["policy"]["rules"][0],
                "effect": "RULE_EFFECT_ALLOW",
                "where": [{"path": "/price", "range": {"maximum": 10.0}}],
            }
        ],
    }
}
AGENT: dict[str, Any] = {
    "name": "helper",
    "spec": SPEC_MESSAGE,
    "version": "v-1",
    "version_number": 1,
    "etag": "e1",
    "create_time": TIME,
    "update_time": TIME,
}
AGENT_JSON = {
    "name": "helper",
    **SPEC,
    "approvals": None,
    "tool_search": {"percent": 0, "pinned": []},
    "skills": ["careful"],
    "version": "v-1",
    "version_number": 1,
    "etag": "e1",
    "created": CREATED,
    "updated": CREATED,
}


@pytest.mark.parametrize(
    ("change", "query", "status", "result"),
    [
        ("CHANGE_CREATED", "", 201, "created"),
        ("CHANGE_CHANGED", "", 200, "changed"),
        ("CHANGE_UNCHANGED", "", 200, "unchanged"),
        ("CHANGE_CREATED", "?validate_only=true", 200, "created"),
    ],
)
async def test_put_makes_an_agent_what_the_body_says(
    upstream: Upstream,
    client: httpx.AsyncClient,
    change: str,
    query: str,
    status: int,
    result: str,
):
    upstream.other.answers["UpdateAgent"] = agents.UpdateAgentResponse(agent=AGENT, change=change)

    response = await client.put(f"/api/v1/agents/helper{query}", json=SPEC)

    request = upstream.other.requests[0]
    assert response.status_code == status
    assert response.headers["x-turnpike-result"] == result
    assert response.headers["etag"] == '"e1"'
    assert response.json() == AGENT_JSON
    assert next(iter(response.json())) == "name"
    assert request.agent.name == "helper" and list(request.agent.spec.policy.deny) == ["time/set"]
    assert request.allow_missing and request.validate_only is bool(query)


async def test_if_match_binds_a_change_to_an_etag(upstream: Upstream, client: httpx.AsyncClient):
    mismatch = RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "ETAG_MISMATCH")
    upstream.other.answers.update(UpdateAgent=mismatch, DeleteAgent=mismatch)
    path = "/api/v1/agents/helper"

    put = await client.put(path, json=SPEC, headers={"if-match": '"e1"'})
    delete = await client.delete(path, headers={"if-match": 'W/"e1"'})
    several = await client.delete(path, headers={"if-match": '"e1", "e2"'})

    assert [r.status_code for r in (put, delete, several)] == [412, 412, 412]
    update, deletion = upstream.other.requests
    assert (update.etag, update.allow_missing, deletion.etag) == ("e1", False, "e1")


async def test_an_agent_is_created_read_listed_and_deleted(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers.update(
        CreateAgent=agents.CreateAgentResponse(agent=AGENT),
        GetAgent=agents.GetAgentResponse(agent=AGENT),
        ListAgents=agents.ListAgentsResponse(agents=[AGENT], next_page_token="next"),
        DeleteAgent=agents.DeleteAgentResponse(),
    )

    created = await client.post("/api/v1/agents", json={"name": "helper", **SPEC})
    read = await client.get("/api/v1/agents/helper")
    listed = await client.get("/api/v1/agents?page_size=7&page_token=here")
    deleted = await client.delete("/api/v1/agents/helper")

    assert created.status_code == 201
    assert created.headers["location"] == "/api/v1/agents/helper"
    assert created.json() == read.json() == AGENT_JSON
    assert read.headers["etag"] == '"e1"'
    assert listed.json() == {"agents": [AGENT_JSON], "next_page_token": "next"}
    assert (deleted.status_code, deleted.content) == (204, b"")
    listing = upstream.other.requests[2]
    assert (listing.page_size, listing.page_token) == (7, "here")


async def test_a_version_is_activated(upstream: Upstream, client: httpx.AsyncClient):
    version = {"id": "v-1", "number": 1, "spec": SPEC_MESSAGE, "active": True, "create_time": TIME}
    upstream.other.answers.update(
        ListAgentVersions=agents.ListAgentVersionsResponse(versions=[version]),
        ActivateAgentVersion=agents.ActivateAgentVersionResponse(agent=AGENT),
    )

    listed = await client.get("/api/v1/agents/helper/versions")
    activated = await client.post("/api/v1/agents/helper:activate", json={"version": "v-1"})

    assert listed.json()["versions"] == [
        {
            "id": "v-1",
            "number": 1,
            "active": True,
            "spec": {
                **SPEC,
                "approvals": None,
                "tool_search": {"percent": 0, "pinned": []},
                "skills": ["careful"],
            },
            "created": CREATED,
        }
    ]
    assert activated.json() == AGENT_JSON
    assert upstream.other.requests[1].version == "v-1"


async def test_a_bodys_name_must_be_the_paths(upstream: Upstream, client: httpx.AsyncClient):
    response = await client.put("/api/v1/agents/helper", json={"name": "other", **SPEC})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "name")
    assert upstream.other.requests == []
