"""What goes wrong, as callers read it."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import httpx
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.upstream import RefusedError, Upstream
from turnpike.rpc.errors import InvalidArgumentError

C = grpc.StatusCode
RUN = "/api/v1/turns:run"
BODY: dict[str, Any] = {"agent": "helper", "input": "hello"}

REFUSALS = [
    (C.INVALID_ARGUMENT, "INVALID_ARGUMENT", 400),
    (C.OUT_OF_RANGE, "OUT_OF_RANGE", 400),
    (C.UNAUTHENTICATED, "UNAUTHENTICATED", 401),
    (C.FAILED_PRECONDITION, "BUDGET_EXHAUSTED", 402),
    (C.PERMISSION_DENIED, "BANNED", 403),
    (C.PERMISSION_DENIED, "FORBIDDEN", 403),
    (C.NOT_FOUND, "NOT_FOUND", 404),
    (C.ABORTED, "THREAD_BUSY", 409),
    (C.ALREADY_EXISTS, "CONFLICT", 409),
    (C.ABORTED, "CONFLICT", 409),
    (C.FAILED_PRECONDITION, "IN_USE", 409),
    (C.FAILED_PRECONDITION, "SNAPSHOT_INVALID", 409),
    (C.FAILED_PRECONDITION, "APPROVAL_DECIDED", 409),
    (C.OUT_OF_RANGE, "LOG_TRIMMED", 410),
    (C.FAILED_PRECONDITION, "ETAG_MISMATCH", 412),
    (C.FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED", 422),
    (C.RESOURCE_EXHAUSTED, "RATE_LIMITED", 429),
    (C.RESOURCE_EXHAUSTED, "CONCURRENCY_LIMITED", 429),
    (C.RESOURCE_EXHAUSTED, "QUEUE_FULL", 429),
    (C.UNAVAILABLE, "UNAVAILABLE", 503),
    (C.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504),
    (C.FAILED_PRECONDITION, "A_REASON_OF_TOMORROW", 409),
]


@pytest.mark.parametrize(("code", "reason", "status"), REFUSALS)
async def test_a_reason_decides_the_status(
    upstream: Upstream, client: httpx.AsyncClient, code: grpc.StatusCode, reason: str, status: int
):
    wait = timedelta(seconds=2.2) if status in (429, 503) else None
    refusal = RefusedError(code, reason, "not now", retry_after=wait, turn="some-turn")
    upstream.runtime.refusal = refusal
    upstream.other.answers["GetThread"] = refusal

    for response in (
        await client.get("/api/v1/threads/t"),
        await client.post(RUN, json=BODY),
        await client.post(
            "/api/v1/threads/t/turns", json=BODY, headers={"accept": "text/event-stream"}
        ),
        await client.post("/api/v1/threads/t/turns", json=BODY),
    ):
        problem = response.json()
        assert response.status_code == problem["status"] == status
        assert response.headers["content-type"] == "application/problem+json"
        assert problem["reason"] == reason
        assert problem["detail"] == "not now"
        assert problem["metadata"] == {"turn": "some-turn"}
        assert response.headers.get("retry-after") == ("3" if wait else None)
        assert problem.keys() == {
            "type",
            "title",
            "status",
            "detail",
            "reason",
            "metadata",
            "errors",
            "trace_id",
        }


async def test_a_refusal_for_a_rate_says_which_and_how_long(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.refusal = RefusedError(
        C.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        retry_after=timedelta(seconds=2.2),
        limit="sync",
        per_minute="60",
        burst="10",
    )

    response = await client.post(RUN, json=BODY)

    assert response.status_code == 429
    told = {name: value for name, value in response.headers.items() if "ratelimit" in name}
    assert response.headers["retry-after"] == "3"
    assert told == {
        "ratelimit": '"sync";r=0;t=3',
        "ratelimit-policy": '"sync";q=60;w=60;burst=10',
        "ratelimit-limit": "60",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "3",
    }


@pytest.mark.parametrize(
    ("reason", "metadata"),
    [
        pytest.param("RATE_LIMITED", {}, id="no rate named"),
        pytest.param("RATE_LIMITED", {"limit": 'a"b', "per_minute": "6"}, id="no header's name"),
        pytest.param("RATE_LIMITED", {"limit": "sync", "per_minute": "many"}, id="no number"),
        pytest.param("CONCURRENCY_LIMITED", {"slots": "64"}, id="slots"),
        pytest.param("BUDGET_EXHAUSTED", {"limit": "sync", "per_minute": "6"}, id="a budget"),
    ],
)
async def test_other_refusals_say_nothing_of_a_rate(
    upstream: Upstream, client: httpx.AsyncClient, reason: str, metadata: dict[str, str]
):
    upstream.runtime.refusal = RefusedError(C.RESOURCE_EXHAUSTED, reason, **metadata)

    response = await client.post(RUN, json=BODY)

    assert [name for name in response.headers if "ratelimit" in name] == []


async def test_what_nobody_foresaw_tells_nothing(upstream: Upstream, client: httpx.AsyncClient):
    upstream.other.answers["GetThread"] = ValueError("postgresql://secret")

    response = await client.get("/api/v1/threads/t")

    assert response.status_code == 500
    assert response.json()["reason"] == "INTERNAL"
    assert "secret" not in response.text


async def test_fields_that_a_service_refuses_are_named_as_callers_know_them(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers["UpdateAgent"] = InvalidArgumentError(
        "agent.spec.model", "there is no such model"
    )

    response = await client.put("/api/v1/agents/helper", json={"model": "none"})

    assert response.status_code == 400
    assert response.json()["errors"] == [{"field": "model", "message": "there is no such model"}]


@pytest.mark.parametrize("path", [RUN, "/api/v1/threads/t/turns"])
async def test_a_spec_that_the_runtime_refuses_is_the_agents(
    upstream: Upstream, client: httpx.AsyncClient, path: str
):
    upstream.runtime.refusal = InvalidArgumentError("inline_agent.model", "there is no such model")

    response = await client.post(path, json=BODY)

    assert response.json()["errors"][0]["field"] == "agent.model"


async def test_a_service_that_is_away_is_503(mortals: Upstream, monkeypatch: pytest.MonkeyPatch):
    async with serve_gateway(mortals, monkeypatch, loss_patience=0.2) as (_, client):
        await mortals.kill(0)
        await mortals.kill(1)

        for response in (
            await client.get("/api/v1/threads/t"),
            await client.post(RUN, json=BODY),
            await client.get("/api/v1/turns/t/events"),
        ):
            assert (response.status_code, response.json()["reason"]) == (503, "UNAVAILABLE")
            assert response.headers["retry-after"] == "1"
            assert "127.0.0.1" not in response.text


async def test_a_service_that_hangs_is_504(upstream: Upstream, monkeypatch: pytest.MonkeyPatch):
    async with serve_gateway(upstream, monkeypatch, call_deadline=0.2) as (_, client):
        upstream.other.answers["GetThread"] = asyncio.Event()
        response = await client.get("/api/v1/threads/t")

    assert (response.status_code, response.json()["reason"]) == (504, "DEADLINE_EXCEEDED")


async def test_a_problem_names_the_trace_that_it_was_part_of(
    upstream: Upstream, client: httpx.AsyncClient
):
    trace = "0af7651916cd43dd8448eb211c80319c"
    given = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}

    refused = await client.get("/api/v1/nothing", headers=given)
    upstream.runtime.script = [{"turn_finished": {}}]
    streamed = await client.post(RUN, json=BODY, headers=given)
    fresh = await client.get("/api/v1/nothing")

    assert refused.json()["trace_id"] == trace
    assert refused.headers["traceparent"].startswith(f"00-{trace}-")
    assert streamed.headers["traceparent"].startswith(f"00-{trace}-")
    assert upstream.runtime.traces[-1].startswith(f"00-{trace}-")
    assert len(fresh.json()["trace_id"]) == 32 and fresh.json()["trace_id"] != trace
