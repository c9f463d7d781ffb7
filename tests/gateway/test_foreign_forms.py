"""What clients of other vendors' forms are told when there is no answer, or not yet."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import httpx
import orjson
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.upstream import RefusedError, Upstream
from tests.waiting import until

HELLO = [{"role": "user", "content": "hello"}]
CHAT: tuple[str, dict[str, Any]] = (
    "/v1/chat/completions",
    {"model": "agent/helper", "messages": HELLO},
)
RESPONSES: tuple[str, dict[str, Any]] = (
    "/v1/responses",
    {"model": "agent/helper", "input": "hello"},
)
MESSAGES: tuple[str, dict[str, Any]] = (
    "/v1/messages",
    {"model": "agent/helper", "max_tokens": 9, "messages": HELLO},
)
FORMS = [CHAT, RESPONSES, MESSAGES]
PATHS = [path for path, _ in FORMS]


@pytest.mark.parametrize(("path", "body"), FORMS, ids=PATHS)
async def test_a_refusal_says_how_long_to_wait_in_headers_that_clients_know(
    upstream: Upstream, client: httpx.AsyncClient, path: str, body: dict[str, Any]
):
    upstream.runtime.refusal = RefusedError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        retry_after=timedelta(seconds=2.2),
        limit="sync",
        per_minute="60",
        burst="10",
    )

    response = await client.post(path, json=body)

    told = {name: value for name, value in response.headers.items() if name.startswith("x-rate")}
    assert response.status_code == 429
    assert (response.headers["retry-after"], response.headers["retry-after-ms"]) == ("3", "3000")
    assert "x-should-retry" not in response.headers
    assert told == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "3s",
    }
    assert response.json()["error"]["type"] == "rate_limit_error"
    named = "request-id" if path == "/v1/messages" else "x-request-id"
    assert response.headers[named]


@pytest.mark.parametrize(("path", "body"), [CHAT, MESSAGES], ids=[CHAT[0], MESSAGES[0]])
async def test_a_turn_that_began_is_not_begun_again_by_an_sdk(
    upstream: Upstream, client: httpx.AsyncClient, path: str, body: dict[str, Any]
):
    """Its tools may have run: a client that sends the request again runs them twice."""
    upstream.runtime.script = [
        {"turn_started": {"thread": "h"}},
        {
            "turn_finished": {
                "status": "TURN_STATUS_FAILED",
                "error": {"reason": "PROVIDER_UNREACHABLE", "message": "no provider"},
            }
        },
    ]

    response = await client.post(path, json=body)

    assert response.status_code == 503
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["error"]["message"] == "no provider"


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """Returns the documents of a stream."""
    lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
    return [orjson.loads(line.removeprefix("data: ")) for line in lines]


def notes(document: dict[str, Any]) -> dict[str, Any]:
    """Returns what a document, or what is in it, says of the turn."""
    return document.get("turnpike") or document["response"]["turnpike"]


async def test_a_turn_that_waits_for_somebody_says_so_and_leaves_no_call_open(
    mortals: Upstream, monkeypatch: pytest.MonkeyPatch
):
    runtime = mortals.runtime
    runtime.script = [
        {"turn_started": {"thread": "h"}},
        {"text_delta": {"text": "I would."}},
        {"tool_requested": {"call_id": "c", "name": "a/b", "arguments": "{}"}},
    ]
    async with serve_gateway(mortals, monkeypatch, heartbeat_interval=0.2) as (_, client):
        asked = [
            asyncio.create_task(client.post(path, json={**body, "stream": streamed}))
            for path, body in FORMS
            for streamed in (False, True)
        ]
        await until(lambda: len(runtime.logs) == len(asked))
        for log in runtime.logs.values():
            log.turn.waiting_for = "approval"
        chat, chunks, response, told, message, frames = await asyncio.gather(*asked)

    for each in (chat.json(), response.json(), message.json()):
        assert notes(each)["waiting_for"] == "approval"
        assert notes(each)["status"] == "WAITING"
        assert notes(each)["turn"] in runtime.logs
    said = chat.json()["choices"][0]
    assert (said["message"]["content"], said["finish_reason"]) == ("I would.", "stop")
    assert "tool_calls" not in said["message"]
    assert (message.json()["stop_reason"], len(message.json()["content"])) == ("end_turn", 1)
    assert response.json()["status"] == "in_progress"
    assert chunks.text.endswith("data: [DONE]\n\n")
    assert notes(events(chunks)[-1])["waiting_for"] == "approval"
    assert [event["type"] for event in events(frames)][-2:] == ["message_delta", "message_stop"]
    assert notes(events(frames)[-2])["waiting_for"] == "approval"
    assert events(told)[-1]["type"] == "response.in_progress"
    assert notes(events(told)[-1])["waiting_for"] == "approval"
