"""What callers set up and look up: each route is one rpc, translated both ways."""

import struct
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest

from tests.gateway.upstream import MEMBER_KEY, TIME, RefusedError, Upstream, texts
from turnpike.api.agent_runtime.v1 import agent_service_pb2 as agents
from turnpike.api.agent_runtime.v1 import model_service_pb2 as models
from turnpike.api.agent_runtime.v1 import thread_service_pb2 as threads
from turnpike.api.embedding.v1 import embedding_service_pb2 as embedding
from turnpike.api.embedding.v1 import search_service_pb2 as search
from turnpike.api.gatekeeper.v1 import (
    identity_service_pb2,
    principal_pb2,
    tenancy_service_pb2,
)
from turnpike.api.tool_registry.v1 import connector_service_pb2 as connectors
from turnpike.api.tool_registry.v1 import effect_service_pb2 as effects
from turnpike.api.tool_registry.v1 import tool_call_service_pb2

CREATED = "2026-11-21T05:00:00.123456Z"
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


async def test_a_models_key_goes_in_and_never_comes_out(
    upstream: Upstream, client: httpx.AsyncClient
):
    stored = models.Model(
        name="gpt", provider="openai", model="gpt-x", has_api_key=True, api_key="sk", etag="e"
    )
    upstream.other.answers.update(
        UpdateModel=models.UpdateModelResponse(model=stored, change="CHANGE_CREATED"),
        ListModels=models.ListModelsResponse(models=[stored]),
    )
    body = {"model": "gpt-x", "api_key": "sk-secret", "prices": {"input": 3, "output": 4}}

    put = await client.put("/api/v1/models/gpt", json=body)
    kept = await client.put("/api/v1/models/gpt", json={"model": "gpt-x"})
    listed = await client.get("/api/v1/models")

    first, second, _ = upstream.other.requests
    assert (first.model.api_key, first.model.prices.output) == ("sk-secret", 4)
    assert not second.model.HasField("api_key") and not second.model.HasField("prices")
    assert put.status_code == kept.status_code == 201
    for response in (put, listed):
        assert '"has_api_key":true' in response.text and '"api_key"' not in response.text


async def test_all_that_is_said_of_a_model_goes_both_ways(
    upstream: Upstream, client: httpx.AsyncClient
):
    said = {
        "provider": "bedrock",
        "model": "claude",
        "role": "planner",
        "scope": "PERSON",
        "prices": {"input": 3, "output": 4, "cached": 1, "cache_write": 5},
        "limits": {"context_window": 200000, "max_output": 8000},
        "capabilities": ["tools", "vision"],
        "options": {"region": "eu-west-1"},
        "quota_pool": "shared",
    }
    pool = {"name": "pool", "members": [{"model": "gpt", "weight": 3}]}
    stored = models.Model(name="gpt", version=7, **(said | {"scope": "SCOPE_PERSON"}))  # pyright: ignore[reportArgumentType]
    upstream.other.answers.update(
        UpdateModel=models.UpdateModelResponse(model=stored, change="CHANGE_CHANGED"),
        CreateModel=models.CreateModelResponse(model=stored),
        DeleteModel=models.DeleteModelResponse(),
    )

    put = await client.put("/api/v1/models/gpt", json=said)
    await client.post("/api/v1/models", json=pool)
    await client.delete("/api/v1/models/gpt?scope=PERSON")

    changed, created, deleted = upstream.other.requests
    assert put.json() | said == put.json()
    assert put.json()["version"] == 7
    assert changed.model.options == {"region": "eu-west-1"}
    assert [(m.model, m.weight) for m in created.model.members] == [("gpt", 3)]
    assert changed.model.scope == deleted.scope == models.SCOPE_PERSON


async def test_a_model_is_asked_for_a_word(upstream: Upstream, client: httpx.AsyncClient):
    good = {"model": "a", "first_event": {"nanos": 7_000_000}, "own_key": True}
    bad = {"model": "b", "reason": "PROVIDER_AUTHENTICATION", "message": "no"}
    upstream.other.answers["TestModel"] = models.TestModelResponse(
        probes=[models.Probe(**good), models.Probe(**bad)]  # pyright: ignore[reportArgumentType]
    )

    response = await client.post("/api/v1/models/pool:test")

    assert upstream.other.requests[0].name == "pool"
    assert response.json() == {
        "probes": [
            {"model": "a", "reason": "", "message": "", "first_event_ms": 7, "own_key": True},
            bad | {"first_event_ms": None, "own_key": False},
        ]
    }


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


async def test_texts_become_vectors(upstream: Upstream, client: httpx.AsyncClient):
    vector = struct.pack("<2f", 0.5, -0.25)
    upstream.other.answers["Embed"] = embedding.EmbedResponse(
        embeddings=[{"vector": vector}], model="minilm", dimensions=2, tokens=3
    )

    one = await client.post("/api/v1/embeddings", json={"input": "hello"})
    several = await client.post("/api/v1/embeddings", json={"input": ["a", "b"], "model": "m"})

    assert one.json() == {
        "embeddings": [[0.5, -0.25]],
        "model": "minilm",
        "dimensions": 2,
        "usage": {"input_tokens": 3},
    }
    assert several.status_code == 200
    assert [list(request.input) for request in upstream.other.requests] == [["hello"], ["a", "b"]]
    for bad in ({"input": []}, {"input": ""}, {"input": [1]}, {"input": 1}, {}):
        assert (await client.post("/api/v1/embeddings", json=bad)).status_code == 400


async def test_documents_are_searched(upstream: Upstream, client: httpx.AsyncClient):
    found = search.SearchResult(
        document="d1", path="/a.md", text="A toll.", headings=["Roads"], first_line=3, score=0.5
    )
    upstream.other.answers["Search"] = search.SearchResponse(
        results=[found], tokens=3, plan=search.SEARCH_PLAN_EXACT, recent=True
    )
    asked = {
        "query": "toll",
        "planned": ["road fee"],
        "filter": {"collections": ["papers"], "metadata": {"by": "ada"}, "since": "2026-11-21"},
        "max_tokens": 500,
        "read_time": True,
    }

    reply = await client.post("/api/v1/search", json=asked)

    (result,) = reply.json()["results"]
    assert (reply.json()["tokens"], reply.json()["plan"]) == (3, "EXACT")
    assert (reply.json()["recent"], reply.json()["since"]) == (True, "")
    assert (result["path"], result["headings"], result["first_line"]) == ("/a.md", ["Roads"], 3)
    (request,) = upstream.other.requests
    assert (request.query, list(request.planned), request.limit) == ("toll", ["road fee"], 10)
    assert dict(request.filter.metadata) == {"by": "ada"}
    assert (request.max_tokens, request.read_time) == (500, True)
    assert (request.filter.since, request.filter.time_zone) == ("2026-11-21", "UTC")
    for bad in ({}, {"query": ""}, {"query": "x", "limit": 0}, {"query": "x", "filter": {"a": 1}}):
        assert (await client.post("/api/v1/search", json=bad)).status_code == 400


async def test_openai_s_clients_are_given_vectors_in_their_form(
    upstream: Upstream, client: httpx.AsyncClient
):
    vectors = [[0.5, -0.25], [0.0, 1.0]]
    upstream.other.answers["Embed"] = embedding.EmbedResponse(
        embeddings=[{"vector": struct.pack("<2f", *vector)} for vector in vectors],
        model="minilm",
        dimensions=2,
        tokens=3,
    )
    body = {"input": ["a", "b"], "model": "default", "user": "somebody"}

    floats = await client.post("/v1/embeddings", json=body)
    packed = await client.post("/v1/embeddings", json=body | {"encoding_format": "base64"})

    assert floats.json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "model": "minilm",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    packed_vectors = [b64decode(each["embedding"]) for each in packed.json()["data"]]
    assert [list(struct.unpack("<2f", each)) for each in packed_vectors] == vectors
    assert list(upstream.other.requests[0].input) == ["a", "b"]
    assert upstream.other.requests[0].model == "default"
    refused = await client.post("/v1/embeddings", json=body | {"encoding_format": "hex"})
    assert refused.json()["error"]["param"] == "encoding_format"


async def test_a_key_is_shown_once(upstream: Upstream, client: httpx.AsyncClient):
    key = principal_pb2.ApiKey(
        id="k",
        name="ci",
        principal={
            "id": "p",
            "tenant": "t",
            "name": "ci",
            "role": "ROLE_MEMBER",
            "kind": "PRINCIPAL_KIND_SERVICE",
            "create_time": TIME,
        },
        create_time=TIME,
        scopes=["SCOPE_TURNS"],
        prefix="tpk_abc",
    )
    upstream.other.answers.update(
        CreateApiKey=tenancy_service_pb2.CreateApiKeyResponse(api_key=key, secret="tpk_new"),
        ListApiKeys=tenancy_service_pb2.ListApiKeysResponse(api_keys=[key]),
        RevokeApiKey=tenancy_service_pb2.RevokeApiKeyResponse(api_key=key),
        RotateApiKey=tenancy_service_pb2.RotateApiKeyResponse(api_key=key, secret="tpk_next"),
    )
    record = {
        "id": "k",
        "name": "ci",
        "role": "MEMBER",
        "principal": {
            "id": "p",
            "tenant": "t",
            "name": "ci",
            "role": "MEMBER",
            "kind": "SERVICE",
            "email": "",
            "issuer": "",
            "created": CREATED,
        },
        "created": CREATED,
        "expires": None,
        "revoked": None,
        "scopes": ["TURNS"],
        "prefix": "tpk_abc",
        "last_used": None,
        "rotated": None,
    }
    body = {"name": "ci", "role": "MEMBER", "expires": "2126-11-21T05:00:00Z"}

    created = await client.post("/api/v1/keys", json=body)
    listed = await client.get("/api/v1/keys")
    revoked = await client.delete("/api/v1/keys/k")
    numeric = await client.post("/api/v1/keys", json={**body, "expires": 5})

    assert (created.status_code, created.json()) == (201, {**record, "key": "tpk_new"})
    assert listed.json() == {"keys": [record], "next_page_token": ""}
    assert revoked.status_code == 204 and upstream.other.requests[2].id == "k"
    expires = upstream.other.requests[0].expire_time.ToDatetime(UTC)
    assert expires == datetime(2126, 11, 21, 5, tzinfo=UTC)
    assert numeric.json()["errors"][0]["field"] == "expires"

    rotated = await client.post("/api/v1/keys/k:rotate", json={"overlap_seconds": 60})
    assert (rotated.status_code, rotated.json()["key"]) == (200, "tpk_next")
    assert rotated.headers["cache-control"] == "no-store"
    assert upstream.other.requests[-1].overlap.ToTimedelta() == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["principal", "email", "domain", "key"]),
        ({"principal": "p", "email": "a@example.com"}, ["principal", "email"]),
        ({"domain": "example.com", "until": "now"}, ["until"]),
    ],
    ids=["nobody", "two", "unknown"],
)
async def test_a_ban_names_one_thing(client: httpx.AsyncClient, body: Any, fields: list[str]):
    refused = await client.post("/api/v1/bans", json=body)

    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == fields


async def test_issuers_and_principals(upstream: Upstream, client: httpx.AsyncClient):
    issuer = {
        "name": "acme",
        "issuer": "https://id.acme.example",
        "audience": "turnpike",
        "algorithms": ["RS256"],
        "claims": {"role": "groups"},
        "roles": {"ops": "ROLE_ADMIN"},
        "etag": "3",
        "create_time": TIME,
        "update_time": TIME,
    }
    principal = {"id": "p", "name": "Ada", "role": "ROLE_VIEWER", "create_time": TIME}
    upstream.other.answers.update(
        UpdateIssuer=identity_service_pb2.UpdateIssuerResponse(
            issuer=issuer, change=identity_service_pb2.ISSUER_CHANGE_CREATED
        ),
        ListPrincipals=identity_service_pb2.ListPrincipalsResponse(principals=[principal]),
        UpdatePrincipal=identity_service_pb2.UpdatePrincipalResponse(principal=principal),
        RemovePrincipal=identity_service_pb2.RemovePrincipalResponse(principal=principal),
    )
    body = {
        "issuer": "https://id.acme.example",
        "audience": "turnpike",
        "claims": {"role": "groups"},
        "roles": {"ops": "ADMIN"},
    }

    put = await client.put("/api/v1/issuers/acme", json=body)
    persons = await client.get("/api/v1/principals?kind=PERSON")
    patched = await client.patch("/api/v1/principals/p", json={"role": "VIEWER"})
    removed = await client.delete("/api/v1/principals/p")

    assert (put.status_code, put.headers["etag"]) == (201, '"3"')
    assert put.json()["roles"] == {"ops": "ADMIN"}
    assert upstream.other.requests[0].issuer.roles["ops"] == principal_pb2.ROLE_ADMIN
    assert upstream.other.requests[1].kind == principal_pb2.PRINCIPAL_KIND_PERSON
    assert persons.json()["principals"] == [patched.json()]
    assert upstream.other.requests[2].role == principal_pb2.ROLE_VIEWER
    assert removed.status_code == 204


async def test_bans_and_tenants(upstream: Upstream, client: httpx.AsyncClient):
    ban = {"id": "b", "principal": "p", "note": "spam", "create_time": TIME}
    tenant = {"id": "t", "name": "acme", "slots": 3, "create_time": TIME}
    upstream.other.answers.update(
        CreateBan=tenancy_service_pb2.CreateBanResponse(ban=ban),
        ListBans=tenancy_service_pb2.ListBansResponse(bans=[ban]),
        DeleteBan=tenancy_service_pb2.DeleteBanResponse(),
        CreateTenant=tenancy_service_pb2.CreateTenantResponse(tenant=tenant, secret="tpk_first"),
        ListTenants=tenancy_service_pb2.ListTenantsResponse(tenants=[tenant]),
    )

    banned = await client.post("/api/v1/bans", json={"principal": "p", "note": "spam"})
    bans = await client.get("/api/v1/bans")
    lifted = await client.delete("/api/v1/bans/b")
    made = await client.post("/api/v1/tenants", json={"name": "acme", "slots": 3})
    tenants = await client.get("/api/v1/tenants")

    record = {"id": "t", "name": "acme", "slots": 3, "created": CREATED}
    assert (banned.status_code, lifted.status_code, made.status_code) == (201, 204, 201)
    assert bans.json()["bans"] == [banned.json()]
    assert banned.json() == {
        "id": "b",
        "principal": "p",
        "email": None,
        "domain": None,
        "key": None,
        "note": "spam",
        "platform": False,
        "created": CREATED,
        "expires": None,
    }
    assert made.json() == {"tenant": record, "key": "tpk_first"}
    assert tenants.json()["tenants"] == [record]


async def test_a_thread_is_made_patched_read_and_deleted(
    upstream: Upstream, client: httpx.AsyncClient
):
    thread = {"id": "t", "title": "Plans", "create_time": TIME, "update_time": TIME}
    message = {"id": "m", "role": "user", "parts": [{"text": "hi"}], "turn": "u"}
    upstream.other.answers.update(
        CreateThread=threads.CreateThreadResponse(thread=thread),
        UpdateThread=threads.UpdateThreadResponse(thread=thread),
        DeleteThread=threads.DeleteThreadResponse(),
        ListMessages=threads.ListMessagesResponse(messages=[{**message, "create_time": TIME}]),
    )

    made = await client.post("/api/v1/threads", json={"title": "Plans"})
    await client.patch("/api/v1/threads/t", json={"title": ""})
    await client.patch("/api/v1/threads/t", json={"metadata": {}})
    deleted = await client.delete("/api/v1/threads/t")
    messages = await client.get("/api/v1/threads/t/messages")

    assert made.status_code == 201
    assert made.json() == {
        "id": "t",
        "title": "Plans",
        "metadata": {},
        "temporary": False,
        "created": CREATED,
        "updated": CREATED,
    }
    _, retitled, cleared, _, _ = upstream.other.requests
    assert retitled.HasField("title") and not retitled.replace_metadata
    assert not cleared.HasField("title") and cleared.replace_metadata
    assert deleted.status_code == 204
    assert messages.json()["messages"] == [
        {
            "id": "m",
            "role": "user",
            "parts": [{"type": "text", "text": "hi"}],
            "turn": "u",
            "unfinished": False,
            "created": CREATED,
        }
    ]


async def test_only_an_admin_sees_who_runs_a_turn(upstream: Upstream, client: httpx.AsyncClient):
    body = {"agent": {"model": "gpt"}, "input": [{"type": "text", "text": "hi"}]}
    turn = (await client.post("/api/v1/threads/t/turns", json=body)).json()
    client.headers["authorization"] = f"Bearer {MEMBER_KEY}"
    mine = (await client.post("/api/v1/threads/t/turns", json=body)).json()

    assert (turn["owner"], turn["fence"]) == ("agent-runtime-1", 1)
    assert not mine.keys() & {"owner", "fence"}
    assert mine["status"] == "RUNNING" and mine["waiting_for"] is None
    assert mine["calls"] == [] and mine["approval"] is None and mine["finished"] is None
    assert upstream.runtime.starts[0].inline_agent.model == "gpt"


async def test_turns_are_listed_by_status_and_cancelled(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = list(texts("a"))
    body = {"agent": "helper", "input": "hi"}
    turn = (await client.post("/api/v1/threads/t/turns", json=body)).json()["id"]

    running = await client.get("/api/v1/turns?status=QUEUED,RUNNING")
    failed = await client.get("/api/v1/turns?status=FAILED&status=EXPIRED")
    of_thread = await client.get("/api/v1/threads/t/turns")
    cancelled = await client.post(f"/api/v1/turns/{turn}:cancel")
    again = await client.post(f"/api/v1/turns/{turn}:cancel", json={})
    unknown = await client.post("/api/v1/turns/nobody:cancel")

    assert [t["id"] for t in running.json()["turns"]] == [turn]
    assert failed.json() == {"turns": [], "next_page_token": ""}
    assert of_thread.status_code == 200
    assert cancelled.status_code == again.status_code == 200
    assert (unknown.status_code, unknown.json()["metadata"]["kind"]) == (404, "turn")
