"""Connectors, tools and effects: each route is one rpc, translated both ways."""

from datetime import timedelta
from uuid import uuid4

import httpx

from tests.gateway.upstream import CREATED, TIME, Upstream
from turnpike.api.tool_registry.v1 import connector_service_pb2 as connectors
from turnpike.api.tool_registry.v1 import effect_service_pb2 as effects
from turnpike.api.tool_registry.v1 import tool_call_service_pb2


async def test_a_connectors_secrets_are_only_named(upstream: Upstream, client: httpx.AsyncClient):
    stored = {
        "name": "web",
        "transport": "TRANSPORT_HTTP",
        "url": "https://web/mcp",
        "header_names": ["Authorization"],
        "state": "CONNECTOR_STATE_DEGRADED",
        "state_reason": "it hangs",
        "etag": "e",
    }
    upstream.other.answers.update(
        CreateConnector=connectors.CreateConnectorResponse(connector=stored),
        GetConnector=connectors.GetConnectorResponse(connector=stored),
    )
    body = {"name": "web", "transport": "http", "url": "https://web/mcp", "headers": {"A": "s"}}

    created = await client.post("/api/v1/connectors", json=body)
    read = await client.get("/api/v1/connectors/web")

    assert (created.status_code, read.status_code) == (201, 200)
    assert dict(upstream.other.requests[0].connector.headers) == {"A": "s"}
    assert read.json()["header_names"] == ["Authorization"]
    assert (read.json()["state"], read.json()["state_reason"]) == ("DEGRADED", "it hangs")
    assert "headers" not in read.json()


async def test_what_nobody_knows_is_shown_and_settled(
    upstream: Upstream, client: httpx.AsyncClient
):
    known = f"{uuid4()}:1:0"
    effect = {
        "call": {
            "effect": known,
            "status": "CALL_STATUS_UNKNOWN",
            "reason": "OUTCOME_UNKNOWN",
            "result": '[{"type": "text", "text": "the connection was lost"}]',
            "generation": 1,
        },
        "tool": "bank/transfer",
        "arguments": '{"amount": 1e2}',
        "principal": "anna",
        "turn": known.partition(":")[0],
        "create_time": TIME,
        "dispatch_time": TIME,
    }
    upstream.other.answers.update(
        ListUnknownEffects=effects.ListUnknownEffectsResponse(
            effects=[effect], next_page_token="more"
        ),
        GetEffect=effects.GetEffectResponse(effect=effect),
        ResolveEffect=effects.ResolveEffectResponse(effect=effect),
    )
    path = f"/api/v1/effects/{known}"

    listed = await client.get("/api/v1/effects?page_size=1")
    read = await client.get(path)
    said = {"generation": 1, "resolution": "not_done", "text": "I looked.", "timeout_seconds": 5}
    settled = await client.post(f"{path}:resolve", json=said)
    refused = await client.post(f"{path}:resolve", json=said | {"resolution": "perhaps"})
    nothing = await client.get("/api/v1/effects/other")

    assert listed.json() == {"effects": [read.json()], "next_page_token": "more"}
    assert read.json() == settled.json()
    assert read.json() | {"id": known, "status": "UNKNOWN", "finished": None} == read.json()
    assert read.json()["content"] == [{"type": "text", "text": "the connection was lost"}]
    assert (read.json()["arguments"], read.json()["created"]) == ('{"amount": 1e2}', CREATED)
    assert upstream.other.requests[2] == effects.ResolveEffectRequest(
        effect=known,
        generation=1,
        resolution=tool_call_service_pb2.RESOLUTION_NOT_DONE,
        text="I looked.",
        timeout=timedelta(seconds=5),
    )
    assert (refused.status_code, nothing.status_code) == (400, 400)


async def test_tools_have_their_schemas_as_objects(upstream: Upstream, client: httpx.AsyncClient):
    tool = {
        "name": "time/now",
        "description": "Tells the time.",
        "input_schema": '{"type": "object",\n "properties": {}}',
        "annotations": '{"readOnlyHint": true}',
        "digest": "sha256:1",
        "state": "OK",
    }
    upstream.other.answers["ListTools"] = connectors.ListToolsResponse(
        tools=[tool], toolset_digest="sha256:2"
    )

    response = await client.get("/api/v1/tools?pattern=time/*")

    assert response.json() == {
        "tools": [
            {
                **tool,
                "input_schema": {"type": "object", "properties": {}},
                "annotations": {"readOnlyHint": True},
            }
        ],
        "digest": "sha256:2",
    }
    assert list(upstream.other.requests[0].patterns) == ["time/*"]
