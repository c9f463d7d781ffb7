"""Bad input: each the right code, a reason, the field, and nothing done."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.upstream import MEMBER_KEY, Upstream, texts
from turnpike.api.agent_runtime.v1.thread_service_pb2 import CreateThreadResponse

RUN = "/api/v1/turns:run"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("path", [RUN, "/api/v1/threads/t/turns"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": "x"}, "agent"),
        ({"agent": "a"}, "input"),
        ({"agent": "a", "input": ""}, "input"),
        ({"agent": "a", "input": 5}, "input"),
        ({"agent": "a", "input": []}, "input"),
        ({"agent": "a", "input": "x\0"}, "input"),
        ({"agent": "a", "input": [{"type": "video", "text": "x"}]}, "input[0].type"),
        ({"agent": "a", "input": [{"type": "image"}]}, "input[0].file"),
        ({"agent": "a", "input": [{"type": "text", "text": "x", "url": ""}]}, "input[0].url"),
        ({"agent": "A b", "input": "x"}, "agent"),
        ({"agent": 7, "input": "x"}, "agent"),
        ({"agent": {"model": "m", "tools": ["one"]}, "input": "x"}, "agent.tools[0]"),
        (
            {"agent": {"model": "m", "policy": {"allow": [1]}}, "input": "x"},
            "agent.policy.allow[0]",
        ),
        ({"agent": {"model": "m", "max_steps": 1.0}, "input": "x"}, "agent.max_steps"),
        ({"agent": "a", "input": "x", "on_busy": "interrupt"}, "on_busy"),
        ({"agent": "a", "input": "x", "metadata": {"k": 1}}, "metadata.k"),
        ({"agent": "a", "input": "x", "extra": {"deep": 1}}, "extra"),
        ([], ""),
        ("x", ""),
    ],
)
async def test_a_wrong_field_is_named(
    upstream: Upstream, client: httpx.AsyncClient, path: str, body: Any, field: str
):
    response = await client.post(path, json=body)

    assert response.status_code == 400
    assert response.json()["reason"] == "INVALID_ARGUMENT"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert upstream.runtime.starts == []


@pytest.mark.parametrize("path", [RUN, "/api/v1/threads", "/api/v1/agents"])
@pytest.mark.parametrize(
    "body", [b"{", b"", b'{"title": "\\ud800"}', b"\xff", b"NaN", b"[" * 100_000, b"\0"]
)
async def test_bad_json_is_400(client: httpx.AsyncClient, path: str, body: bytes):
    response = await client.post(path, content=body, headers=JSON)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == ""


@pytest.mark.parametrize("path", [RUN, "/api/v1/threads", "/api/v1/turns/t:cancel"])
async def test_another_content_type_is_415(client: httpx.AsyncClient, path: str):
    for headers in ({"content-type": "text/plain"}, {"content-type": ""}):
        response = await client.post(path, content=b"{}", headers=headers)

        assert (response.status_code, response.json()["reason"]) == (
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        )


@pytest.mark.parametrize("path", [RUN, "/api/v1/threads"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_is_413(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, path: str, chunked: bool
):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1000

    async with serve_gateway(upstream, monkeypatch, max_body_bytes=20_000) as (_, client):
        content = chunks() if chunked else b" " * 40_000
        response = await client.post(path, content=content, headers=JSON)

    assert (response.status_code, response.json()["reason"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_huge_body_is_answered_too(client: httpx.AsyncClient):
    body = b'{"agent": "a", "input": "%b"}' % (b"x" * 20_000_000)

    response = await client.post(RUN, content=body, headers=JSON)

    assert response.status_code == 413


async def test_unknown_paths_and_methods_are_problems(client: httpx.AsyncClient):
    unknown = await client.get("/api/v1/nothing")
    slash = await client.get("/api/v1/threads/")
    verb = await client.post("/api/v1/turns/t:explode", json={})
    method = await client.put("/api/v1/threads", json={})
    wrong_verb = await client.get("/api/v1/turns/t:cancel")
    nul = await client.get("/api/v1/threads/%00")
    nul_query = await client.get("/api/v1/threads?page_token=%00")

    assert {r.status_code for r in (unknown, slash, verb, nul)} == {404}
    assert (method.status_code, method.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert method.json()["reason"] == "METHOD_NOT_ALLOWED"
    assert (wrong_verb.status_code, wrong_verb.headers["allow"]) == (405, "OPTIONS, POST")
    assert nul_query.status_code == 400


async def test_options_and_head_are_answered(upstream: Upstream, client: httpx.AsyncClient):
    upstream.runtime.script = list(texts())
    turn = (await client.post("/api/v1/threads/t/turns", json={"agent": "a", "input": "x"})).json()

    options = await client.options("/api/v1/turns")
    head = await client.head(f"/api/v1/turns/{turn['id']}")

    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "query", ["page_size=0", "page_size=501", "page_size=x", "status=BUSY", "status=RUNNING,BUSY"]
)
async def test_a_bad_query_is_400(client: httpx.AsyncClient, query: str):
    response = await client.get(f"/api/v1/turns?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "tpk_admin-aaaaaaaaaaaaaaaaaaaa",
        "Basic eDp5",
        "Bearer tpk_nobody-aaaaaaaaaaaaaaaaaaa",
        "Bearer tpk_\xe9",
        "Bearer not.a.token",
        "Bearer " + "x" * 5000,
        "Bearer tpk_" + "x" * 5000,
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/threads"), ("POST", RUN), ("GET", "/api/v1/turns/t/events")],
)
async def test_without_a_valid_credential_nothing_is_read(
    upstream: Upstream,
    client: httpx.AsyncClient,
    authorization: str | None,
    method: str,
    path: str,
):
    client.headers.pop("authorization")
    given = {} if authorization is None else {"authorization": authorization}
    headers = httpx.Headers(given, encoding="latin-1")

    response = await client.request(method, path, content=b"{", headers=headers)

    assert (response.status_code, response.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"
    assert upstream.runtime.starts == []


async def test_a_key_is_exchanged_once_and_the_principal_named(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers["CreateThread"] = CreateThreadResponse()
    key, before = upstream.gatekeeper.add_key(), upstream.gatekeeper.exchanges
    client.headers["authorization"] = f"Bearer {key}"

    await asyncio.gather(*(client.post("/api/v1/threads", json={}) for _ in range(10)))

    assert upstream.gatekeeper.exchanges == before + 1
    assert all(key not in m["authorization"] for m in upstream.other.metadata)


async def test_a_principal_token_is_a_credential_too(upstream: Upstream, client: httpx.AsyncClient):
    upstream.other.answers["CreateThread"] = CreateThreadResponse()
    token, _ = upstream.gatekeeper.token(MEMBER_KEY)

    response = await client.post(
        "/api/v1/threads", json={}, headers={"authorization": f"Bearer {token}"}
    )

    assert response.status_code == 201
    assert upstream.other.metadata[-1]["authorization"] == f"Bearer {token}"


async def test_a_revoked_key_is_refused_long_before_its_exchange_ends(
    upstream: Upstream, client: httpx.AsyncClient
):
    key = upstream.gatekeeper.add_key()
    client.headers["authorization"] = f"Bearer {key}"
    assert (await client.get("/api/v1/turns")).status_code == 200

    await upstream.gatekeeper.revoke(key)

    async with asyncio.timeout(15):
        while (await client.get("/api/v1/turns")).status_code != 401:
            pass


async def test_an_idempotency_key_is_the_request_id(upstream: Upstream, client: httpx.AsyncClient):
    body = {"agent": "a", "input": "x"}
    path = "/api/v1/threads/t/turns"

    first = await client.post(path, json=body, headers={"idempotency-key": "once"})
    again = await client.post(path, json=body, headers={"idempotency-key": "once"})
    others = [await client.post(path, json=body) for _ in range(2)]
    long = await client.post(path, json=body, headers={"idempotency-key": "k" * 256})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert [other.status_code for other in others] == [201, 201]
    assert upstream.runtime.starts[0].request_id == "once"
    ids = [start.request_id for start in upstream.runtime.starts[2:]]
    assert len(set(ids)) == 2 and "" not in ids
    assert (long.status_code, long.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


async def test_pages_of_allowed_origins_may_call(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    origin = "https://app.example"
    async with serve_gateway(upstream, monkeypatch, cors_origins=[origin]) as (_, client):
        preflight = {"origin": origin, "access-control-request-method": "PUT"}
        allowed = await client.options("/api/v1/threads", headers=preflight)
        refused = await client.options(
            "/api/v1/threads", headers={**preflight, "origin": "https://evil.example"}
        )
        problem = await client.get("/api/v1/nothing", headers={"origin": origin})

    assert allowed.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-origin" not in refused.headers
    assert problem.headers["access-control-allow-origin"] == origin
    assert "traceparent" in problem.headers["access-control-expose-headers"]
