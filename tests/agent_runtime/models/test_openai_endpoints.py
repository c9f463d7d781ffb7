"""Endpoints on the OpenAI wire: what they are sent, what becomes of the connection."""

import asyncio
import json

import pytest

from tests.agent_runtime.models.asking import TRACEPARENT, all_of, failure_of, prompt_for
from tests.agent_runtime.models.conftest import Provider
from tests.doubles.http1 import Connection, sse
from tests.doubles.model_server import ModelServer
from tests.waiting import until
from turnpike.agent_runtime.models.clients import Clients, open_clients
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Message,
    ModelError,
    TextPiece,
    ToolDefinition,
    ToolUse,
    UsagePiece,
)

WORD = sse({"choices": [{"delta": {"content": "one "}}]})
STOP = sse({"choices": [{"delta": {}, "finish_reason": "stop"}]})
USAGE = sse({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
DONE = b"data: [DONE]\n\n"


async def hang(_connection: Connection) -> None:
    await asyncio.Event().wait()


async def test_the_request_is_the_prompt_and_nothing_else(faked: Provider, clients: Clients):
    faked.streams(WORD, STOP, USAGE, DONE)
    schema = '{"type": "object",  "properties": {}}'
    use = ToolUse(id="call_1", name="shop__buy", arguments='{"n" : 1}')
    prompt = prompt_for(
        f"{faked.url}/v1/?api-version=7",
        Message(role="system", text="Be brief."),
        Message(role="user", text="buy"),
        Message(role="assistant", text="", calls=(use,)),
        Message(role="tool", text="bought", call_id="call_1"),
        tools=(ToolDefinition(name="shop__buy", description="Buys.", input_schema=schema),),
    )

    await all_of(clients, prompt)
    await all_of(clients, prompt)

    first, second = faked.requests
    assert first.target == "/v1/chat/completions?api-version=7"
    assert first.headers["authorization"] == "Bearer sk-secret"
    assert first.headers["traceparent"] == TRACEPARENT
    assert first.headers["accept-encoding"] == "identity"
    assert first.body == second.body
    assert schema.encode() in first.body
    assert first.json()["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "buy"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "shop__buy", "arguments": '{"n" : 1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "bought"},
    ]


@pytest.mark.usefixtures("unhurried")
async def test_a_connection_is_used_again(faked: Provider, clients: Clients):
    async def end_late(connection: Connection) -> None:
        await asyncio.sleep(0.005)
        connection.write(DONE)
        await asyncio.sleep(0.005)
        connection.end_stream()

    faked.streams(WORD, STOP, USAGE, then=end_late)

    for _ in range(5):
        stream = clients.client("openai").stream(prompt_for(faked.url))
        said = [piece for piece in await anext(stream)]
        # Whoever has heard the end and the usage listens no longer.
        await stream.aclose()
        assert said == [TextPiece("one "), EndPiece("stop"), UsagePiece(1, 1)]

    assert (len(faked.requests), len(faked.seen)) == (5, 1)


async def test_an_end_that_never_comes_is_not_waited_for(faked: Provider, clients: Clients):
    faked.streams(WORD, STOP, USAGE, then=hang)
    stream = clients.client("openai").stream(prompt_for(faked.url))
    await anext(stream)

    async with asyncio.timeout(15):
        await stream.aclose()

    await until(lambda: not faked.connections)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_closing_the_stream_closes_the_connection_at_once(
    faked: Provider, clients: Clients, cancelled: bool
):
    faked.streams(WORD, then=hang)
    stream = clients.client("openai").stream(prompt_for(faked.url))
    await anext(stream)

    if cancelled:
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    else:
        await stream.aclose()

    await until(lambda: not faked.connections)


@pytest.mark.parametrize(
    ("status", "said", "reason", "transient"),
    [
        (429, {"error": {"message": "slow down"}}, "RATE_LIMITED", True),
        (429, {"error": {"code": "insufficient_quota"}}, "QUOTA_EXHAUSTED", False),
        (402, {"error": "pay"}, "QUOTA_EXHAUSTED", False),
        (500, {"error": "oh"}, "PROVIDER_ERROR", True),
        (503, None, "OVERLOADED", True),
        (529, [], "OVERLOADED", True),
        (400, {"error": {"code": "context_length_exceeded"}}, "CONTEXT_LENGTH", False),
        (400, {"error": {"message": "the maximum context length is 4"}}, "CONTEXT_LENGTH", False),
        (400, {"error": {"code": "content_filter"}}, "CONTENT_FILTERED", False),
        (400, {"error": {"message": "bad"}}, "PROVIDER_ERROR", False),
        (401, {"message": "bad key sk-secret"}, "AUTHENTICATION", False),
        (403, {"message": "not yours"}, "AUTHENTICATION", False),
        (204, None, "PROVIDER_ERROR", False),
        (200, {"error": {"message": "no streams here"}}, "PROVIDER_ERROR", False),
    ],
)
async def test_a_refusal_says_why_and_whether_it_may_pass(
    faked: Provider, clients: Clients, status: int, said: object, reason: str, transient: bool
):
    faked.replies(status, said, retry_after="3")

    failure = await failure_of(clients, prompt_for(faked.url))

    assert (failure.reason, failure.transient) == (reason, transient)
    assert "sk-secret" not in str(failure)
    assert failure.retry_after == (None if status == 200 else 3)


@pytest.mark.parametrize(
    ("status", "transient"), [("200 OK", False), ("502 Bad Gateway", True), ("404 X", False)]
)
async def test_a_page_is_no_stream(faked: Provider, clients: Clients, status: str, transient: bool):
    page = "<html>Sign in</html>"
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(page)}\r\n\r\n"
    faked.says((head + page).encode())

    failure = await failure_of(clients, prompt_for(faked.url))

    assert (failure.reason, failure.transient) == ("PROVIDER_ERROR", transient)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\ndata: {",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ndata: {",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_or_ends_too_soon_is_unreachable(
    faked: Provider, clients: Clients, raw: bytes
):
    faked.says(raw)

    failure = await failure_of(clients, prompt_for(faked.url))

    assert (failure.reason, failure.transient) == ("PROVIDER_UNREACHABLE", True)


async def test_a_stream_that_ends_too_soon_has_no_end(faked: Provider, clients: Clients):
    faked.streams(WORD)

    assert await all_of(clients, prompt_for(faked.url)) == [TextPiece("one ")]


@pytest.mark.parametrize("failing", [b"", b"data: {not json\n\n", sse({"error": "it broke"})])
async def test_what_was_said_before_a_failure_is_heard_though_both_are_read_late(
    faked: Provider, clients: Clients, failing: bytes
):
    told = asyncio.Event()

    async def fail(connection: Connection) -> None:
        await told.wait()
        connection.write(WORD, failing)
        connection.cut()

    faked.streams(WORD, then=fail)
    stream = clients.client("openai").stream(prompt_for(faked.url))
    heard = await anext(stream)
    told.set()
    # As if this process had stood still: the word and the end have both arrived.
    await until(lambda: not faked.connections)

    heard += await anext(stream)

    assert heard == [TextPiece("one "), TextPiece("one ")]
    with pytest.raises(ModelError) as failure:
        await anext(stream)
    assert failure.value.transient


async def test_a_redirect_is_not_followed(faked: Provider, clients: Clients):
    faked.replies(307, None, location=f"{faked.url}/elsewhere")

    failure = await failure_of(clients, prompt_for(faked.url))

    assert (failure.reason, failure.transient) == ("PROVIDER_ERROR", False)
    assert len(faked.requests) == 1


async def test_private_addresses_are_out_of_reach(faked: Provider):
    async with open_clients(allow_private=False) as ways:
        failure = await failure_of(ways, prompt_for(faked.url.replace("127.0.0.1", "localhost")))

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)
    assert not faked.seen


@pytest.mark.parametrize(
    ("url", "key"), [("ftp://host/v1", "k"), ("http://", "k"), ("http://u:p@127.0.0.1:9", "k")]
)
async def test_a_configuration_that_is_no_request_is_unusable(clients: Clients, url: str, key: str):
    failure = await failure_of(clients, prompt_for(url, api_key=key))

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)


async def test_a_key_with_a_line_break_is_unusable(faked: Provider, clients: Clients):
    failure = await failure_of(clients, prompt_for(faked.url, api_key="a\r\nhost: b"))

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)
    assert not faked.requests


async def test_many_streams_run_at_once(clients: Clients, provider: ModelServer, provider_url: str):
    streams = [all_of(clients, prompt_for(provider_url, model="n=50+us=100")) for _ in range(50)]

    answers = await asyncio.gather(*streams)

    assert {json.dumps([repr(piece) for piece in answer]) for answer in answers}
    assert all(isinstance(answer[-1], UsagePiece) for answer in answers)
    assert provider.stats["chat"] == 50
