"""Event streams, as browsers and apps rely on them."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.frames import document, frames, next_event, seq
from tests.gateway.upstream import Upstream, texts
from turnpike.gateway.events import WRITERS

ROOT = Path(__file__).parents[2]
RUN = "/api/v1/turns:run"
BODY: dict[str, Any] = {"agent": "helper", "input": "hello"}
STREAM = {"accept": "text/event-stream"}


async def test_a_turn_streams_frame_by_frame_and_ends(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = [
        *texts("Hé\n"),
        {"turn_finished": {"status": "TURN_STATUS_COMPLETED"}},
    ]

    response = await client.post(RUN, json=BODY)

    turn = next(iter(upstream.runtime.logs))
    time = "2026-11-21T05:00:00.123456Z"
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.text == (
        "retry: 1000\n\n"
        "id: 1\nevent: turn.started\n"
        f'data: {{"seq":1,"type":"turn.started","time":"{time}","turn":"{turn}",'
        '"thread":"t","agent":"a","agent_version":"v","trace_id":"x"}\n\n'
        "id: 2\nevent: text.delta\n"
        f'data: {{"seq":2,"type":"text.delta","time":"{time}","turn":"{turn}",'
        '"text":"Hé\\n"}\n\n'
        "id: 3\nevent: turn.finished\n"
        f'data: {{"seq":3,"type":"turn.finished","time":"{time}","turn":"{turn}",'
        '"status":"COMPLETED","error":null}\n\n'
    )


async def test_each_type_has_its_own_fields(upstream: Upstream, client: httpx.AsyncClient):
    upstream.runtime.script = [
        {"step_started": {"step": 1, "attempt": 2, "model": "m"}},
        {"reasoning_delta": {"text": "hm"}},
        {
            "tool_requested": {
                "call_id": "c",
                "name": "time/now",
                "arguments": '{"n":\n 12345678901234567890123}',
                "effect": "e",
            }
        },
        {"tool_requested": {"call_id": "d", "name": "time/now", "arguments": '{"n"'}},
        {"tool_started": {"call_id": "c"}},
        {"tool_progress": {"call_id": "c", "progress": 1, "total": 2, "message": "half"}},
        {"tool_progress": {"call_id": "c", "progress": 1.5}},
        {
            "tool_finished": {
                "call_id": "c",
                "outcome": "TOOL_OUTCOME_OK",
                "result": '[{"type": "text", "text": "noon"}]',
                "structured": '{"hour": 12}',
            }
        },
        {"log_reset": {"after_seq": 1}},
        {
            "model_retrying": {
                "reason": "RATE_LIMITED",
                "delay": {"seconds": 1, "nanos": 5000000},
                "attempt": 2,
            }
        },
        {"model_changed": {"reason": "RATE_LIMITED", "from": "m", "to": "n"}},
        {"thread_titled": {"title": "Noon"}},
        {"usage": {"step": 1, "model": "m", "usage": {"input_tokens": 7, "cost_micro_usd": 9}}},
        {
            "turn_finished": {
                "status": "TURN_STATUS_FAILED",
                "error": {"reason": "POISONED", "message": "no"},
            }
        },
    ]

    response = await client.post(RUN, json=BODY)

    events = [document(frame) for frame in response.text.split("\n\n")[1:-1]]
    own = [{k: v for k, v in event.items() if k not in ("seq", "time", "turn")} for event in events]
    assert own == [
        {"type": "step.started", "step": 1, "attempt": 2, "model": "m"},
        {"type": "reasoning.delta", "text": "hm"},
        {
            "type": "tool.requested",
            "call_id": "c",
            "name": "time/now",
            "arguments": {"n": 1.2345678901234568e22},
            "effect": "e",
        },
        {
            "type": "tool.requested",
            "call_id": "d",
            "name": "time/now",
            "arguments": '{"n"',
            "effect": "",
        },
        {"type": "tool.started", "call_id": "c"},
        {
            "type": "tool.progress",
            "call_id": "c",
            "progress": 1.0,
            "total": 2.0,
            "message": "half",
        },
        {"type": "tool.progress", "call_id": "c", "progress": 1.5, "total": None, "message": ""},
        {
            "type": "tool.finished",
            "call_id": "c",
            "outcome": "OK",
            "result": [{"type": "text", "text": "noon"}],
            "structured": {"hour": 12},
        },
        {"type": "log.reset", "after_seq": 1},
        {"type": "model.retrying", "reason": "RATE_LIMITED", "delay_ms": 1005, "attempt": 2},
        {"type": "model.changed", "reason": "RATE_LIMITED", "from": "m", "to": "n"},
        {"type": "thread.titled", "title": "Noon"},
        {
            "type": "usage",
            "step": 1,
            "model": "m",
            "input_tokens": 7,
            "output_tokens": 0,
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "cost_micro_usd": 9,
        },
        {
            "type": "turn.finished",
            "status": "FAILED",
            "error": {"reason": "POISONED", "message": "no"},
        },
    ]
    assert '"arguments":{"n":  12345678901234567890123}' in response.text


async def test_a_thread_streams_to_who_accepts_events(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = [*texts("hi"), {"turn_finished": {}}]
    path = "/api/v1/threads/some-thread/turns"

    streamed = await client.post(path, json=BODY, headers=STREAM)
    plain = await client.post(path, json=BODY)

    assert streamed.status_code == 200 and "event: text.delta" in streamed.text
    assert plain.status_code == 201
    assert plain.headers["location"] == f"/api/v1/turns/{plain.json()['id']}"
    assert {start.thread for start in upstream.runtime.starts} == {"some-thread"}


@pytest.mark.parametrize("where", ["header", "query", "both"])
async def test_a_reader_goes_on_after_its_number(
    upstream: Upstream, client: httpx.AsyncClient, where: str
):
    upstream.runtime.script = [*texts("a", "b", "c"), {"turn_finished": {}}]
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]
    headers = {"last-event-id": "3"} if where != "query" else {}
    query = {"header": {}, "query": {"after": 3}, "both": {"after": 1}}[where]

    response = await client.get(f"/api/v1/turns/{turn}/events", headers=headers, params=query)

    assert [seq(frame) for frame in response.text.split("\n\n")[1:-1]] == [4, 5]


async def test_what_is_finished_and_read_is_204(upstream: Upstream, client: httpx.AsyncClient):
    upstream.runtime.script = [*texts("a"), {"turn_finished": {}}]
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]

    response = await client.get(
        f"/api/v1/turns/{turn}/events", headers={**STREAM, "last-event-id": "3"}
    )

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    ("cursor", "status", "reason"),
    [
        ("99", 400, "OUT_OF_RANGE"),
        ("99999999999999999999999", 400, "OUT_OF_RANGE"),
        ("-1", 400, "INVALID_ARGUMENT"),
        ("one", 400, "INVALID_ARGUMENT"),
        ("٣", 400, "INVALID_ARGUMENT"),
    ],
)
async def test_a_bad_cursor_is_refused(
    upstream: Upstream, client: httpx.AsyncClient, cursor: str, status: int, reason: str
):
    upstream.runtime.script = list(texts("a"))
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]

    response = await client.get(f"/api/v1/turns/{turn}/events", params={"after": cursor})

    assert (response.status_code, response.json()["reason"]) == (status, reason)
    if reason == "OUT_OF_RANGE":
        assert response.json()["metadata"] == {"last": "2"}
    else:
        assert response.json()["errors"][0]["field"] == "after"


async def test_a_stream_goes_on_when_its_replica_dies(
    mortals: Upstream, monkeypatch: pytest.MonkeyPatch
):
    async with serve_gateway(mortals, monkeypatch) as (_, client):
        mortals.runtime.script = list(texts("a", "b"))
        async with client.stream("POST", RUN, json=BODY) as response:
            stream = frames(response)
            seen = [seq(await next_event(stream)) for _ in range(3)]
            (log,) = mortals.runtime.logs.values()
            await mortals.kill_streaming()
            await log.append(text_delta={"text": "c"})
            await log.finish()
            seen += [seq(frame) async for frame in stream]

    assert seen == [1, 2, 3, 4, 5]


async def test_a_watch_goes_on_when_every_replica_restarts(
    mortals: Upstream, monkeypatch: pytest.MonkeyPatch
):
    async with serve_gateway(mortals, monkeypatch) as (_, client):
        mortals.runtime.script = list(texts("a"))
        turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]
        async with client.stream("GET", f"/api/v1/turns/{turn}/events") as response:
            stream = frames(response)
            seen = [seq(await next_event(stream)) for _ in range(2)]
            await mortals.restart()
            log = mortals.runtime.logs[turn]
            await log.append(text_delta={"text": "b"})
            await log.finish()
            seen += [seq(frame) async for frame in stream]

    assert seen == [1, 2, 3, 4]


async def test_a_stream_ends_when_no_replica_is_left(
    mortals: Upstream, monkeypatch: pytest.MonkeyPatch
):
    async with serve_gateway(mortals, monkeypatch, loss_patience=0.3) as (_, client):
        mortals.runtime.script = list(texts("a"))
        async with client.stream("POST", RUN, json=BODY) as response:
            stream = frames(response)
            await next_event(stream)
            await next_event(stream)
            await mortals.kill(0)
            await mortals.kill(1)
            assert [frame async for frame in stream] == []


async def test_silence_is_broken_by_comments(upstream: Upstream, monkeypatch: pytest.MonkeyPatch):
    async with serve_gateway(upstream, monkeypatch, heartbeat_interval=0.05) as (_, client):
        upstream.runtime.script = list(texts())
        async with client.stream("POST", RUN, json=BODY) as response:
            stream = frames(response)
            await next_event(stream)
            comments = [await anext(stream) for _ in range(3)]

    assert comments == [": still here"] * 3


async def test_hanging_up_ends_the_call_and_not_the_turn(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = list(texts("a"))
    async with client.stream("POST", RUN, json=BODY) as response:
        await next_event(frames(response))

    async with asyncio.timeout(15):
        await upstream.runtime.hung_up.wait()
    (log,) = upstream.runtime.logs.values()
    assert not log.finished


async def test_a_revoked_key_s_streams_end(upstream: Upstream, client: httpx.AsyncClient):
    upstream.runtime.script = list(texts("a"))
    key = upstream.gatekeeper.add_key()
    client.headers["authorization"] = f"Bearer {key}"
    async with client.stream("POST", RUN, json=BODY) as response:
        stream = frames(response)
        await next_event(stream)
        await upstream.gatekeeper.revoke(key)
        async with asyncio.timeout(15):
            rest = [frame async for frame in stream]

    assert [seq(frame) for frame in rest] in ([], [2])


async def test_draining_sends_readers_elsewhere(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    async with serve_gateway(upstream, monkeypatch) as (gateway, client):
        upstream.runtime.script = list(texts())
        async with client.stream("POST", RUN, json=BODY) as response:
            stream = frames(response)
            await next_event(stream)
            gateway.streams.drain()
            rest = [frame async for frame in stream]

    assert rest == [": draining, connect again"]


async def test_head_of_a_stream_ends_at_its_headers(upstream: Upstream, client: httpx.AsyncClient):
    upstream.runtime.script = list(texts("a"))
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]

    response = await client.head(f"/api/v1/turns/{turn}/events")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")


def test_every_type_is_documented():
    table = (ROOT / "docs/events.md").read_text()

    for kind, _write in WRITERS.values():
        assert f"`{kind}`" in table, kind
