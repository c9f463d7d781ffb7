"""Providers that speak a wire format of their own, faked at the wire: Anthropic's."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from uuid import UUID

import asyncpg
import orjson
import pytest

from tests.agent_runtime.models import asking
from tests.agent_runtime.models.asking import TRACEPARENT, all_of, failure_of
from tests.agent_runtime.models.conftest import Provider
from tests.agent_runtime.serving import Tenant
from tests.doubles.http1 import Connection, sse
from tests.waiting import until
from turnpike.agent_runtime.models import litellm_client
from turnpike.agent_runtime.models.clients import Clients, open_clients
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Message,
    Prompt,
    ReasoningPiece,
    TextPiece,
    ToolDefinition,
    ToolUse,
    ToolUsePiece,
    UsagePiece,
)

pytestmark = pytest.mark.usefixtures("litellm")


def prompt_for(
    url: str,
    *messages: Message,
    provider: str = "anthropic",
    tools: tuple[ToolDefinition, ...] = (),
    api_key: str = "sk-secret",
) -> Prompt:
    return asking.prompt_for(
        url, *messages, provider=provider, model="claude", tools=tools, api_key=api_key
    )


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\n".encode() + sse({"type": kind, **fields})


def block(index: int, start: Mapping[str, object], *deltas: Mapping[str, object]) -> bytes:
    events = [event("content_block_start", index=index, content_block=start)]
    events += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return b"".join([*events, event("content_block_stop", index=index)])


def text(index: int, *words: str) -> bytes:
    deltas = [{"type": "text_delta", "text": word} for word in words]
    return block(index, {"type": "text", "text": ""}, *deltas)


OPENING = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 7,
            "output_tokens": 1,
        },
    },
)


def ending(reason: str) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": 20}
    return event("message_delta", delta=delta, usage=usage) + event("message_stop")


PICTURE = "data:image/png;base64,iVBORw0KGgo="


async def test_an_image_is_sent_in_the_providers_own_words(faked: Provider, clients: Clients):
    faked.streams(OPENING, text(0, "a cat"), ending("end_turn"))
    message = Message(role="user", text="look", pictures=("a" * 64,))
    prompt = replace(prompt_for(faked.url, message), pictures={"a" * 64: PICTURE})

    await all_of(clients, prompt)

    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    (said,) = orjson.loads(faked.requests[-1].body)["messages"]
    assert said["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image", "source": source},
    ]


async def test_no_image_is_fetched_for_a_client(faked: Provider, clients: Clients):
    content = [{"type": "image_url", "image_url": {"url": f"{faked.url}/a.png"}}]
    wire = orjson.dumps({"role": "user", "content": content})

    failure = await failure_of(
        clients, prompt_for(faked.url, Message(role="user", text="", wire=wire))
    )

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)


async def test_everything_that_a_provider_says_is_heard(faked: Provider, clients: Clients):
    thinking = {"type": "thinking_delta", "thinking": "hmm"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "shop__buy", "input": {}}
    arguments = [{"type": "input_json_delta", "partial_json": part} for part in ('{"n"', ":1}")]
    faked.streams(
        OPENING,
        block(0, {"type": "thinking", "thinking": "", "signature": ""}, thinking),
        text(1, "one ", "two"),
        block(2, use, *arguments),
        ending("tool_use"),
    )

    pieces = await all_of(clients, prompt_for(faked.url))

    assert pieces == [
        ReasoningPiece("hmm"),
        TextPiece("one "),
        TextPiece("two"),
        ToolUsePiece(0, "toolu_1", "shop__buy", ""),
        ToolUsePiece(0, "", "", '{"n"'),
        ToolUsePiece(0, "", "", ":1}"),
        EndPiece("tool_calls"),
        UsagePiece(
            input_tokens=22,
            output_tokens=20,
            cached_tokens=7,
            cache_write_tokens=5,
            reasoning_tokens=2,
        ),
    ]


async def test_the_request_carries_the_conversation_the_tools_and_the_trace(
    faked: Provider, clients: Clients
):
    faked.streams(OPENING, text(0, "fine"), ending("end_turn"))
    schema = '{"type":"object","properties":{"n":{"type":"integer"}}}'
    use = ToolUse(id="toolu_1", name="shop__buy", arguments="no JSON")

    await all_of(
        clients,
        prompt_for(
            faked.url,
            Message(role="system", text="Be brief."),
            Message(role="user", text="buy"),
            Message(role="assistant", text="", calls=(use,)),
            Message(role="tool", text="bought", call_id="toolu_1"),
            tools=(ToolDefinition(name="shop__buy", description="Buys.", input_schema=schema),),
        ),
    )

    request = faked.requests[0]
    body = request.json()
    assert request.headers["traceparent"] == TRACEPARENT
    assert request.headers["x-api-key"] == "sk-secret"
    assert body["system"][0]["text"] == "Be brief."
    assert body["tools"][0]["input_schema"]["properties"]["n"] == {"type": "integer"}
    called, answered = body["messages"][1]["content"][0], body["messages"][2]["content"][0]
    assert (called["name"], called["input"]) == ("shop__buy", {"arguments": "no JSON"})
    assert (answered["tool_use_id"], answered["content"]) == ("toolu_1", "bought")


@pytest.mark.parametrize(
    ("status", "kind", "reason", "transient"),
    [
        (429, "rate_limit_error", "RATE_LIMITED", True),
        (529, "overloaded_error", "OVERLOADED", True),
        (500, "api_error", "PROVIDER_ERROR", True),
        (401, "authentication_error", "AUTHENTICATION", False),
        (400, "invalid_request_error", "PROVIDER_ERROR", False),
        (404, "not_found_error", "PROVIDER_ERROR", False),
    ],
)
async def test_a_refusal_says_why_and_whether_it_may_pass(
    faked: Provider, clients: Clients, status: int, kind: str, reason: str, transient: bool
):
    error = {"type": "error", "error": {"type": kind, "message": "because of sk-secret"}}
    faked.replies(status, error, retry_after="3")

    failure = await failure_of(clients, prompt_for(faked.url))

    assert (failure.reason, failure.transient) == (reason, transient)
    assert failure.retry_after == 3
    assert "because" in str(failure)
    assert "sk-secret" not in str(failure)
    assert len(faked.requests) == 1


async def test_an_error_amid_a_stream_may_pass(faked: Provider, clients: Clients):
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    faked.streams(OPENING, text(0, "one "), error)

    failure = await failure_of(clients, prompt_for(faked.url))

    assert failure.transient


async def test_a_stream_that_ends_too_soon_has_no_end(faked: Provider, clients: Clients):
    faked.streams(OPENING, text(0, "one "))

    pieces = await all_of(clients, prompt_for(faked.url))

    assert TextPiece("one ") in pieces
    assert not [piece for piece in pieces if isinstance(piece, EndPiece)]


async def test_a_connection_that_is_cut_is_unreachable(faked: Provider, clients: Clients):
    async def cut(connection: Connection) -> None:
        await asyncio.sleep(0)
        connection.cut()

    faked.streams(OPENING, text(0, "one "), then=cut)

    failure = await failure_of(clients, prompt_for(faked.url))

    assert (failure.reason, failure.transient) == ("PROVIDER_UNREACHABLE", True)


async def test_nobody_listening_is_unreachable(clients: Clients):
    failure = await failure_of(clients, prompt_for("http://127.0.0.1:9"))

    assert (failure.reason, failure.transient) == ("PROVIDER_UNREACHABLE", True)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_closing_the_stream_closes_the_connection_at_once(
    faked: Provider, clients: Clients, cancelled: bool
):
    async def hang(_connection: Connection) -> None:
        await asyncio.Event().wait()

    faked.streams(OPENING, text(0, "one "), then=hang)
    stream = clients.client("anthropic").stream(prompt_for(faked.url))
    await anext(stream)
    assert faked.connections

    if cancelled:
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    else:
        await stream.aclose()

    await until(lambda: not faked.connections)


async def test_a_redirect_is_not_followed(faked: Provider, clients: Clients):
    faked.replies(307, None, location=f"{faked.url}/elsewhere")

    failure = await failure_of(clients, prompt_for(faked.url))

    assert not failure.transient or failure.reason == "PROVIDER_UNREACHABLE"
    assert len(faked.requests) == 1


@pytest.mark.parametrize("provider_name", ["anthropic", "openrouter", "ollama_chat", "groq"])
async def test_private_addresses_are_out_of_reach(faked: Provider, provider_name: str):
    faked.streams(OPENING, text(0, "one "), ending("end_turn"))
    async with open_clients(allow_private=False) as ways:
        prompt = prompt_for(faked.url, provider=provider_name)
        failure = await failure_of(ways, prompt)

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)
    assert not faked.requests


@pytest.mark.parametrize("name", ["no-such-provider", "github_copilot", "vertex_ai", "custom"])
async def test_a_provider_that_nobody_may_use_is_refused(clients: Clients, name: str):
    failure = await failure_of(clients, prompt_for("http://127.0.0.1:9", provider=name))

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)


async def test_the_service_s_own_environment_lends_no_key(
    faked: Provider, clients: Clients, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-platform")
    faked.streams(OPENING, text(0, "fine"), ending("end_turn"))

    await all_of(clients, prompt_for(faked.url, api_key=""))

    assert "sk-of-the-platform" not in str(faked.requests[0].headers)


async def test_a_turn_runs_on_such_a_provider(faked: Provider, tenant: Tenant):
    faked.streams(OPENING, text(0, "one ", "two"), ending("end_turn"))
    await tenant.model(provider="anthropic", base_url=faked.url, model="claude", api_key="k")
    await tenant.agent(instructions="Be brief.")

    turn = await tenant.ended((await tenant.start("hi")).id)

    assert (turn.text, turn.error.reason) == ("one two", "")
    assert (turn.usage.input_tokens, turn.usage.cached_tokens) == (22, 7)
    assert turn.usage.cache_write_tokens == 5
    trace = faked.requests[0].headers["traceparent"]
    assert trace.startswith("00-")


async def test_a_provider_that_is_gone_ends_the_turn_at_once(
    tenant: Tenant, superuser: asyncpg.Connection
):
    # Of a version before this one, that knew it.
    await tenant.model(provider="anthropic")
    await tenant.agent()
    gone = "UPDATE models SET provider = 'gone' WHERE tenant = $1"
    await superuser.execute(gone, UUID(tenant.id))

    turn = await tenant.ended((await tenant.start("hi")).id)

    assert turn.error.reason == "MODEL_UNUSABLE"


def test_litellm_is_imported_when_it_is_needed_and_not_before():
    asked = "import sys, turnpike.agent_runtime.__main__; print('litellm' in sys.modules)"

    answered = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)

    assert answered.stdout.strip() == b"False"


def test_litellm_asks_nobody_but_the_model():
    asked = subprocess.run([sys.executable, "-c", _CALLS], capture_output=True, check=True)

    said = asked.stdout.decode().split()
    assert said.count("called") == 4
    assert set(said) <= {"called", "127.0.0.1"}


# What names are looked up by a first call of each kind.
_CALLS = """
import asyncio, socket
from dataclasses import replace
looked_up = socket.getaddrinfo

def noted(host, *others, **named):
    print(host)
    return looked_up(host, *others, **named)

socket.getaddrinfo = noted

from tests.agent_runtime.models.asking import all_of, prompt_for
from turnpike.agent_runtime.models.clients import open_clients
from turnpike.agent_runtime.models.prompt import ModelError

async def call_all():
    async with open_clients(allow_private=True) as clients:
        for provider in ("anthropic", "bedrock", "gemini", "groq"):
            prompt = prompt_for("http://127.0.0.1:9", provider=provider, model="claude-sonnet-4-5")
            model = replace(prompt.model, options=(("beta", "context-1m-2025-08-07"),))
            try:
                await all_of(clients, replace(prompt, model=model))
            except ModelError:
                print("called")

asyncio.run(call_all())
"""


async def test_who_gives_up_leaves_the_import_to_those_who_come_after(
    faked: Provider, clients: Clients, litellm: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    loaded = threading.Event()
    imports: list[int] = []

    def slowly() -> ModuleType:
        imports.append(1)
        loaded.wait()
        return litellm

    monkeypatch.setattr(litellm_client, "load", slowly)
    faked.streams(OPENING, text(0, "fine"), ending("end_turn"))
    first = asyncio.ensure_future(all_of(clients, prompt_for(faked.url)))
    await until(lambda: bool(imports))
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.ensure_future(all_of(clients, prompt_for(faked.url)))
    await asyncio.sleep(0)
    loaded.set()

    assert TextPiece("fine") in await second
    assert len(imports) == 1
