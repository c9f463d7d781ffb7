"""What both ways out do alike: the native one, and litellm's with each provider's own wire."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.agent_runtime.models import asking
from tests.agent_runtime.models.asking import all_of, failure_of
from tests.agent_runtime.models.wires import THOUGHT, WIRES, Wire, text_of
from tests.doubles.recorded_provider import RecordedProvider, recorded_provider
from tests.waiting import until
from turnpike.agent_runtime.models import caching
from turnpike.agent_runtime.models.caching import caching_for
from turnpike.agent_runtime.models.clients import Clients, open_clients
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Message,
    ModelError,
    Piece,
    Prompt,
    ReasoningPiece,
    SignaturePiece,
    TextPiece,
    ToolDefinition,
    ToolUse,
    ToolUsePiece,
    UsagePiece,
)
from turnpike.agent_runtime.models.thoughts import Thoughts, author

pytestmark = pytest.mark.usefixtures("litellm")

LOOK = ToolDefinition(
    name="weather__look",
    description="Looks.",
    input_schema='{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
)
# A picture of one pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


@pytest.fixture(params=WIRES, ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    """A provider, on the way that it is asked by."""
    return request.param


@pytest.fixture
async def played(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RecordedProvider]:
    """The provider; at a host of its own if rules hang on that."""
    async with recorded_provider() as provider:
        if "openrouter" in wire.name:
            monkeypatch.setitem(caching.HOSTS, "127.0.0.1", "openrouter")
        provider.play(wire.calls, wire.answer)
        yield provider


def prompt_for(
    wire: Wire, provider: RecordedProvider, *messages: Message, tools: bool = True
) -> Prompt:
    prompt = asking.prompt_for(
        provider.url,
        *messages,
        provider=wire.provider,
        model=wire.model,
        tools=(LOOK,) if tools else (),
    )
    return replace(prompt, caching=caching_for(prompt.model, "a-key"))


def joined(pieces: list[Piece], kind: type[TextPiece] | type[ReasoningPiece]) -> str:
    return "".join(each.text for each in pieces if isinstance(each, kind))


def calls_in(pieces: list[Piece]) -> list[ToolUse]:
    calls: dict[int, list[str]] = {}
    for each in pieces:
        if isinstance(each, ToolUsePiece):
            call = calls.setdefault(each.index, ["", "", ""])
            call[0], call[1] = call[0] or each.id, call[1] or each.name
            call[2] += each.arguments
    assert sorted(calls) == list(range(len(calls)))
    return [ToolUse(id=c[0], name=c[1], arguments=c[2]) for _, c in sorted(calls.items())]


def assistant(prompt: Prompt, pieces: list[Piece]) -> Message:
    thoughts = Thoughts()
    for each in pieces:
        thoughts.hear(each)
    return Message(
        role="assistant",
        text=joined(pieces, TextPiece),
        calls=tuple(calls_in(pieces)),
        thoughts=thoughts.document(author(prompt.model)),
    )


def continued(prompt: Prompt, pieces: list[Piece]) -> Prompt:
    said = assistant(prompt, pieces)
    results = [
        Message(role="tool", text=f"{17 + i} degrees", call_id=call.id)
        for i, call in enumerate(said.calls)
    ]
    return replace(prompt, messages=(*prompt.messages, said, *results))


def only(pieces: list[Piece], kind: type[UsagePiece] | type[EndPiece]) -> Piece:
    found = [each for each in pieces if isinstance(each, kind)]
    assert len(found) >= 1
    return found[-1]


async def test_whatever_is_said_is_heard_in_one_form(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    pieces = await all_of(clients, prompt_for(wire, played))

    assert joined(pieces, ReasoningPiece) == wire.thought
    assert joined(pieces, TextPiece) == "Let me look."
    calls = calls_in(pieces)
    assert [call.name for call in calls] == ["weather__look", "weather__look"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    ids = [call.id for call in calls]
    assert all(ids)
    assert len(set(ids)) == 2
    assert only(pieces, EndPiece) == EndPiece("tool_calls")
    assert only(pieces, UsagePiece) == wire.usage


async def test_an_answer_that_asks_for_nothing_ends(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    played.play(wire.answer)

    pieces = await all_of(clients, prompt_for(wire, played))

    assert joined(pieces, TextPiece) == "Rome is warmer."
    assert only(pieces, EndPiece) == EndPiece("stop")
    assert not calls_in(pieces)


@pytest.mark.usefixtures("unhurried")
async def test_what_was_signed_is_returned_byte_for_byte_and_on_the_same_connection(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    prompt = prompt_for(wire, played)
    pieces = await all_of(clients, prompt)
    signed = [each.signature for each in pieces if isinstance(each, SignaturePiece)]

    await all_of(clients, continued(prompt, pieces))

    assert len(signed) == (2 if wire.thought else 0)
    body = played.requests[1].json()
    assert sorted(wire.signed(body)) == sorted(signed)
    if "reasoning" in {each.of for each in pieces if isinstance(each, SignaturePiece)}:
        assert json.dumps(THOUGHT)[1:-1] in json.dumps(body)
    assert "thinking_by" not in text_of(body)
    assert "__thought__" not in text_of(body)
    for degrees in ("17 degrees", "18 degrees"):
        assert degrees in text_of(body)
    assert len(played.seen) == 1


async def test_the_same_is_returned_in_the_same_bytes_ever_after(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    prompt = prompt_for(wire, played)
    prompt = continued(prompt, await all_of(clients, prompt))
    for _ in range(2):
        await all_of(clients, prompt)

    assert played.requests[1].body == played.requests[2].body


async def test_another_model_is_not_sent_what_it_did_not_sign(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    prompt = prompt_for(wire, played)
    prompt = continued(prompt, await all_of(clients, prompt))
    other = replace(prompt, model=replace(prompt.model, model=f"{wire.model}-other"))

    await all_of(clients, other)

    body = played.requests[1].json()
    assert "thinking_by" not in text_of(body)
    assert "thinking_blocks" not in text_of(body)
    assert "signature" not in text_of(body).lower() or "c2tpcF90aG91Z2h0" in text_of(body)


async def test_a_picture_is_sent(wire: Wire, played: RecordedProvider, clients: Clients):
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    said = json.dumps({"role": "user", "content": parts}).encode()

    await all_of(clients, prompt_for(wire, played, Message(role="user", text="", wire=said)))

    assert PIXEL in text_of(played.requests[0].json())


async def test_json_is_asked_for_by_a_schema(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    schema = {
        "type": "object",
        "properties": {"warmest": {"type": "string"}},
        "required": ["warmest"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    played.play(wire.answer)
    prompt = replace(
        prompt_for(wire, played, tools=False),
        parameters=json.dumps({"response_format": form}).encode(),
    )

    pieces = await all_of(clients, prompt)

    assert "warmest" in text_of(played.requests[0].json())
    assert joined(pieces, TextPiece) == "Rome is warmer."
    assert only(pieces, EndPiece) == EndPiece("stop")


async def test_a_stream_that_breaks_off_has_no_end(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    played.play(wire.cut)
    pieces: list[Piece] = []
    try:
        pieces = await all_of(clients, prompt_for(wire, played))
    except ModelError as error:
        assert error.transient  # either will do

    assert not [each for each in pieces if isinstance(each, EndPiece)]


async def test_closing_amid_a_stream_closes_the_connection(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    played.play(wire.cut)
    played.hangs = True
    async with aclosing(clients.client(wire.provider).stream(prompt_for(wire, played))) as stream:
        await anext(stream)
        assert played.connections

    await until(lambda: not played.connections)


async def test_what_the_provider_keeps_of_a_prompt_is_said_in_its_words(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    system = Message(role="system", text="Be brief.")
    await all_of(clients, prompt_for(wire, played, system, Message(role="user", text="hi")))

    body = text_of(played.requests[0].json())
    marked = '"cache_control"' in body or '"cachePoint"' in body
    keyed = '"prompt_cache_key"' in body
    expected = {
        "native-openai": (False, True),
        "native-openrouter": (True, True),
        "litellm-openai": (False, True),
        "litellm-anthropic": (True, False),
        "litellm-gemini": (False, False),
        "litellm-bedrock": (True, False),
    }
    assert (marked, keyed) == expected[wire.name]


async def test_many_ask_at_once_and_each_is_answered(
    wire: Wire, played: RecordedProvider, clients: Clients
):
    played.play(wire.answer)

    answers = await asyncio.gather(*[all_of(clients, prompt_for(wire, played)) for _ in range(20)])

    assert {joined(each, TextPiece) for each in answers} == {"Rome is warmer."}


async def test_private_addresses_are_out_of_reach(wire: Wire, played: RecordedProvider):
    async with open_clients(allow_private=False) as guarded:
        failure = await failure_of(guarded, prompt_for(wire, played))

    assert (failure.reason, failure.transient) == ("MODEL_UNUSABLE", False)
    assert not played.requests
