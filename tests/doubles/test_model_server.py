"""The scripted model server says what its model's name says, and notices who leaves."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.doubles.model_server import ModelServer


@pytest.fixture
async def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
async def model(server: ModelServer) -> AsyncGenerator[httpx.AsyncClient]:
    async with server.listening() as url, httpx.AsyncClient(base_url=url) as client:
        yield client


def body(model: str, *messages: dict[str, Any]) -> dict[str, Any]:
    asked = list(messages) or [{"role": "user", "content": "hello"}]
    options = {"include_usage": True}
    return {"model": model, "stream": True, "stream_options": options, "messages": asked}


async def events(model: httpx.AsyncClient, name: str, *messages: dict[str, Any]) -> list[Any]:
    reply = await model.post("/chat/completions", json=body(name, *messages))
    lines = [line.removeprefix("data: ") for line in reply.text.splitlines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def text_of(chunks: list[Any]) -> str:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


async def test_a_reply_has_as_many_words_as_scripted_and_ends_with_usage(model: httpx.AsyncClient):
    chunks = await events(model, "n=25")

    assert text_of(chunks) == "".join(f"~{index} " for index in range(25))
    assert chunks[-1]["usage"]["completion_tokens"] == 25


async def test_a_reply_is_no_longer_than_its_caller_allows(model: httpx.AsyncClient):
    asked = body("n=25") | {"max_tokens": 3, "stream": False}

    reply = (await model.post("/chat/completions", json=asked)).json()

    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["choices"][0]["message"]["content"] == "~0 ~1 ~2"
    assert reply["usage"]["completion_tokens"] == 3


async def test_a_tool_is_asked_for_until_its_result_is_the_last_message(model: httpx.AsyncClient):
    name = 'tool=a__b+arg={"x": 1}+calls=2+pieces=3+n=2'
    asked = await events(model, name)
    calls: dict[int, str] = {0: "", 1: ""}
    for chunk in asked:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                calls[call["index"]] += call["function"]["arguments"]

    answered = await events(
        model,
        name,
        {"role": "assistant", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "done", "tool_call_id": "1"},
    )

    assert calls == {0: '{"x": 1}', 1: '{"x": 1}'}
    assert text_of(answered) == "~0 ~1 "


async def test_the_same_prompt_asked_again_is_answered_differently(model: httpx.AsyncClient):
    first = await events(model, "n=2+vary=1")
    second = await events(model, "n=2+vary=1")

    assert (text_of(first), text_of(second)) == ("~0 ~1 ", "~x0 ~x1 ")


async def test_refusals_end_after_as_many_as_scripted(model: httpx.AsyncClient):
    replies = [
        await model.post("/chat/completions", json=body("429=2+retry=3+n=1")) for _ in range(3)
    ]

    assert [reply.status_code for reply in replies] == [429, 429, 200]
    assert replies[0].headers["retry-after"] == "3"


async def test_a_scripted_cut_happens_once_when_told_so(model: httpx.AsyncClient):
    with pytest.raises(httpx.RemoteProtocolError):
        await model.post("/chat/completions", json=body("n=5+die=2+once=1"))

    assert text_of(await events(model, "n=5+die=2+once=1")) == "~0 ~1 ~2 ~3 ~4 "


async def test_a_client_that_leaves_early_is_noticed(server: ModelServer, model: httpx.AsyncClient):
    async with model.stream("POST", "/chat/completions", json=body("n=5+hang=2")) as reply:
        assert await anext(reply.aiter_lines())
        assert server.open_streams == 1

    async with asyncio.timeout(15):
        while not server.closes:
            with suppress(TimeoutError):
                await model.get("/models")
    assert server.open_streams == 0
    assert server.closes[0].deltas == 2


async def test_another_tool_is_asked_for_next(model: httpx.AsyncClient):
    name = "tool=read+next=edit+nextarg={}+n=2"
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
    asked: list[str] = []
    for _ in range(2):
        reply = await model.post(
            "/chat/completions", json=body(name, *messages) | {"stream": False}
        )
        message = reply.json()["choices"][0]["message"]
        asked += [call["function"]["name"] for call in message["tool_calls"]]
        messages += [message, {"role": "tool", "tool_call_id": "c", "content": ""}]

    assert asked == ["read", "edit"]
    assert text_of(await events(model, name, *messages)) == "~0 ~1 "
