"""Chat completions as OpenAI's own SDK asks them, unmodified."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from tests.doubles.processes import Double
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite, until_it

HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Says how the weather is.",
        "strict": True,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
ModelsLog = Callable[[str], Awaitable[list[dict[str, Any]]]]


def words(count: int) -> str:
    """Returns what the scripted model says."""
    return "".join(f"~{i} " for i in range(count))


@pytest.fixture
async def sdk(suite: Suite) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's client, told nothing but where and by which key."""
    async with AsyncOpenAI(base_url=f"{suite.url}/v1", api_key=suite.key, max_retries=0) as client:
        yield client


async def test_models_and_agents_are_listed(sdk: AsyncOpenAI, agent: MakeAgent):
    name = await agent("n=1")

    listed = {model.id: model async for model in sdk.models.list()}

    assert {name, f"agent/{name}"} <= set(listed)
    assert listed[name].object == "model"
    assert (await sdk.models.retrieve(f"agent/{name}")).id == f"agent/{name}"
    assert (await sdk.models.retrieve(name)).owned_by == "turnpike"
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve("agent/nobody")


async def test_an_agent_answers_whole(sdk: AsyncOpenAI, agent: MakeAgent, edge: Edge):
    name = await agent("n=5")

    raw = await sdk.chat.completions.with_raw_response.create(model=f"agent/{name}", messages=HELLO)

    completion = raw.parse()
    choice = completion.choices[0]
    assert (choice.message.content, choice.finish_reason) == (words(5), "stop")
    assert choice.message.tool_calls is None
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 5
    turn = await edge.turn(raw.headers["x-turnpike-turn"])
    assert turn["text"] == words(5)
    assert completion.id == f"chatcmpl-{turn['id'].replace('-', '')}"
    assert raw.headers["x-request-id"]


async def test_an_agent_answers_as_a_stream(sdk: AsyncOpenAI, agent: MakeAgent):
    name = await agent("n=30+us=200+think=3")

    stream = await sdk.chat.completions.create(
        model=f"agent/{name}",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]

    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == words(30)
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert thought == "^0 ^1 ^2 "
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 30
    assert not any(delta.tool_calls for delta in deltas)


async def test_an_agents_own_tools_are_no_business_of_the_clients(
    sdk: AsyncOpenAI, agent: MakeAgent, tag: str
):
    name = await agent(f'tool=effects__echo+arg={{"text":"{tag}"}}+n=3', tools=["effects/*"])

    stream = await sdk.chat.completions.create(model=f"agent/{name}", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    assert not any(chunk.choices[0].delta.tool_calls for chunk in chunks)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == words(3)


async def test_a_thread_is_named_by_a_header_or_by_metadata(
    sdk: AsyncOpenAI, agent: MakeAgent, edge: Edge, tag: str
):
    model = f"agent/{await agent('n=1')}"

    first = await sdk.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, extra_headers={"x-session-id": tag}
    )
    thread = first.headers["x-turnpike-thread"]
    again = await sdk.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, extra_headers={"x-session-id": tag}
    )
    named = await sdk.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, metadata={"x-turnpike-thread": thread}
    )
    other = await sdk.chat.completions.with_raw_response.create(model=model, messages=HELLO)

    assert again.headers["x-turnpike-thread"] == named.headers["x-turnpike-thread"] == thread
    assert other.headers["x-turnpike-thread"] != thread
    assert len(await edge.messages(thread)) == 6


async def test_a_request_that_is_sent_twice_is_one_turn(
    sdk: AsyncOpenAI, agent: MakeAgent, tag: str
):
    model = f"agent/{await agent('n=3')}"
    headers = {"Idempotency-Key": tag}

    one, two = [
        await sdk.chat.completions.create(model=model, messages=HELLO, extra_headers=headers)
        for _ in range(2)
    ]

    assert one.id == two.id


async def test_a_model_answers_the_clients_own_messages(
    sdk: AsyncOpenAI, agent: MakeAgent, models_log: ModelsLog
):
    name = await agent("n=6+think=1+arg=own")
    messages: Any = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "hello"}], "name": "me"},
    ]

    completion = await sdk.chat.completions.create(
        model=name, messages=messages, temperature=0.5, max_tokens=77, seed=3, user="u"
    )

    assert completion.choices[0].message.content == words(6)
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 6
    asked = (await models_log("n=6+think=1+arg=own"))[-1]["body"]
    assert asked["messages"] == messages
    assert (asked["temperature"], asked["max_tokens"], asked["seed"]) == (0.5, 77, 3)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_model_asks_for_the_clients_own_tools(
    sdk: AsyncOpenAI, agent: MakeAgent, streamed: bool
):
    name = await agent('tool=weather+arg={"city":"Oslo"}+calls=2+pieces=3+n=2')
    messages: Any = list(HELLO)

    if streamed:
        async with sdk.chat.completions.stream(
            model=name, messages=messages, tools=[TOOL]
        ) as stream:
            first = await stream.get_final_completion()
    else:
        first = await sdk.chat.completions.create(model=name, messages=messages, tools=[TOOL])

    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    functions = [call.function for call in calls if call.type == "function"]
    assert [(f.name, f.arguments) for f in functions] == [("weather", '{"city":"Oslo"}')] * 2
    assert len({call.id for call in calls}) == 2
    messages += [choice.message.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": c.id, "content": "rain"} for c in calls]
    second = await sdk.chat.completions.create(model=name, messages=messages, tools=[TOOL])
    assert second.choices[0].message.content == words(2)


async def test_hanging_up_ends_the_providers_call(
    sdk: AsyncOpenAI, agent: MakeAgent, model: Double
):
    script = "n=100000+us=2000+arg=hangs-up"
    name = await agent(script)

    stream = await sdk.chat.completions.create(model=name, messages=HELLO, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()

    async def closed() -> bool:
        async with httpx.AsyncClient() as client:
            stats = (await client.get(f"{model.origin}/stats")).json()
        return any(close["model"] == script for close in stats["closed_early"])

    await until_it(closed)


async def test_what_cannot_be_had_is_refused_by_name(sdk: AsyncOpenAI, agent: MakeAgent):
    name = await agent("n=1")
    refused: list[tuple[str, str, dict[str, Any]]] = [
        (name, "n", {"n": 2}),
        (name, "logprobs", {"logprobs": True}),
        (name, "functions", {"functions": [{"name": "f"}]}),
        (name, "max_tokens", {"max_tokens": 10_000_001}),
        (f"agent/{name}", "temperature", {"temperature": 1}),
        (f"agent/{name}", "tools", {"tools": [TOOL]}),
        (name, "unheard_of", {"extra_body": {"unheard_of": 1}}),
    ]

    for model, parameter, asked in refused:
        with pytest.raises(openai.BadRequestError) as raised:
            await sdk.chat.completions.create(model=model, messages=HELLO, **asked)
        assert raised.value.param == parameter
        assert raised.value.type == "invalid_request_error"


async def test_errors_are_those_that_the_sdk_knows(
    sdk: AsyncOpenAI, suite: Suite, agent: MakeAgent
):
    with pytest.raises(openai.NotFoundError):
        await sdk.chat.completions.create(model="nobody", messages=HELLO)
    with pytest.raises(openai.NotFoundError):
        await sdk.chat.completions.create(model="agent/nobody", messages=HELLO, stream=True)
    async with AsyncOpenAI(
        base_url=f"{suite.url}/v1", api_key="tpk_wrong", max_retries=0
    ) as stranger:
        with pytest.raises(openai.AuthenticationError) as unknown:
            await stranger.models.list()
    assert unknown.value.code == "invalid_api_key"
    limited = await agent("429=1+retry=1+n=1")
    with pytest.raises(openai.RateLimitError) as raised:
        await sdk.chat.completions.create(model=limited, messages=HELLO)
    assert raised.value.response.headers["retry-after"] == "1"
    assert raised.value.request_id


async def test_the_sdk_tries_again_by_itself(sdk: AsyncOpenAI, agent: MakeAgent):
    limited = await agent("429=2+retry=1+n=4")

    completion = await sdk.with_options(max_retries=3).chat.completions.create(
        model=limited, messages=HELLO
    )

    assert completion.choices[0].message.content == words(4)


async def test_a_stream_that_is_cut_ends_with_an_error(sdk: AsyncOpenAI, agent: MakeAgent):
    name = await agent("n=20+die=5")

    stream = await sdk.chat.completions.create(model=name, messages=HELLO, stream=True)
    said: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        async for chunk in stream:
            said.append(chunk.choices[0].delta.content or "")

    assert "".join(said) == words(5)
    assert raised.value.type == "server_error"
