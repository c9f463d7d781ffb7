"""Messages as Anthropic's own SDK asks them, unmodified."""

from collections.abc import AsyncGenerator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_openai_chat import ModelsLog, words

HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "name": "weather",
    "description": "Says how the weather is.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
async def sdk(suite: Suite) -> AsyncGenerator[AsyncAnthropic]:
    """Anthropic's client, told nothing but where and by which key."""
    async with AsyncAnthropic(base_url=suite.url, api_key=suite.key, max_retries=0) as client:
        yield client


async def test_a_model_answers_whole(sdk: AsyncAnthropic, agent: MakeAgent, models_log: ModelsLog):
    name = await agent("n=6+arg=messages")

    message = await sdk.messages.create(
        model=name,
        max_tokens=77,
        system=[
            {"type": "text", "text": "x-anthropic-billing-header: cch=0a1b;"},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        ],
        messages=HELLO,
        extra_body={"temperature": 0.5},
        stop_sequences=["!"],
    )

    assert [(block.type, block.text) for block in message.content if block.type == "text"] == [
        ("text", words(6))
    ]
    assert (message.stop_reason, message.role, message.usage.output_tokens) == (
        "end_turn",
        "assistant",
        6,
    )
    asked = (await models_log("n=6+arg=messages"))[-1]["body"]
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]
    assert (asked["temperature"], asked["max_tokens"], asked["stop"]) == (0.5, 77, ["!"])


async def test_a_model_answers_as_a_stream(sdk: AsyncAnthropic, agent: MakeAgent):
    name = await agent("n=30+us=200+think=3")

    async with sdk.messages.stream(model=name, max_tokens=100, messages=HELLO) as stream:
        kinds = [event.type async for event in stream]
        message = await stream.get_final_message()

    thinking, text = message.content
    assert thinking.type == "thinking"
    assert thinking.thinking == "^0 ^1 ^2 "
    assert text.type == "text"
    assert text.text == words(30)
    assert message.usage.output_tokens == 30
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 2


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_model_asks_for_the_clients_own_tools(
    sdk: AsyncAnthropic, agent: MakeAgent, models_log: ModelsLog, streamed: bool
):
    script = f'tool=weather+arg={{"city":"Oslo"}}+calls=2+pieces=3+n=2+{streamed}'
    name = await agent(script)
    messages: Any = list(HELLO)
    asked: Any = {"model": name, "max_tokens": 100, "tools": [TOOL]}

    if streamed:
        async with sdk.messages.stream(messages=messages, **asked) as stream:
            first = await stream.get_final_message()
    else:
        first = await sdk.messages.create(messages=messages, **asked)

    assert first.stop_reason == "tool_use"
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("weather", {"city": "Oslo"})] * 2
    assert len({call.id for call in calls}) == 2
    messages += [{"role": "assistant", "content": first.to_dict()["content"]}]
    rain: Any = [{"type": "text", "text": "rain"}]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": rain} for call in calls]
    messages += [{"role": "user", "content": [*results, {"type": "text", "text": "and?"}]}]
    second = await sdk.messages.create(messages=messages, **asked)
    assert second.content[-1].type == "tool_use"
    sent = (await models_log(script))[-1]["body"]
    assert [message["role"] for message in sent["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]
    assert {m["tool_call_id"] for m in sent["messages"][2:4]} == {call.id for call in calls}
    assert sent["tools"][0]["function"]["parameters"] == TOOL["input_schema"]


async def test_an_agent_answers(sdk: AsyncAnthropic, agent: MakeAgent, edge: Edge):
    model = f"agent/{await agent('n=5')}"

    raw = await sdk.messages.with_raw_response.create(model=model, max_tokens=9, messages=HELLO)
    async with sdk.messages.stream(model=model, max_tokens=9, messages=HELLO) as stream:
        streamed = await stream.get_final_text()

    first = (await raw.parse()).content[0]
    assert first.type == "text"
    assert first.text == streamed == words(5)
    assert (await edge.turn(raw.headers["x-turnpike-turn"]))["text"] == words(5)
    assert raw.headers["request-id"]


async def test_a_conversation_that_is_told_again_is_sent_in_the_models_own_bytes(
    sdk: AsyncAnthropic, agent: MakeAgent, models_log: ModelsLog, tag: str
):
    """This form has arguments as objects; the ledger knows how the model spelled them."""
    spelled = '{"city": "Oslo", "days": 1.0}'
    script = f"tool=weather+arg={spelled}+n=4+think=1"
    asked: Any = {
        "model": await agent(script),
        "max_tokens": 100,
        "tools": [TOOL],
        "metadata": {"user_id": f"user_1_account__session_{tag}-0123456789"},
    }
    messages: Any = list(HELLO)
    first = await sdk.messages.create(messages=messages, **asked)
    call = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    messages += [
        {"role": "assistant", "content": first.to_dict()["content"]},
        {"role": "user", "content": [result]},
    ]

    await sdk.messages.create(messages=messages, **asked)

    sent = (await models_log(script))[-1]["body"]["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == spelled


async def test_tokens_are_counted_about(sdk: AsyncAnthropic, agent: MakeAgent):
    name = await agent("n=1")

    few = await sdk.messages.count_tokens(model=name, messages=HELLO)
    many = await sdk.messages.count_tokens(
        model=name, messages=[{"role": "user", "content": "word " * 1000}], tools=[TOOL]
    )

    assert 0 < few.input_tokens < 50
    assert 1000 < many.input_tokens < 2000


async def test_models_and_agents_are_listed(sdk: AsyncAnthropic, agent: MakeAgent):
    name = await agent("n=1")

    listed = {model.id: model async for model in sdk.models.list()}

    assert {name, f"agent/{name}"} <= set(listed)
    assert listed[name].display_name == (await sdk.models.retrieve(name)).id == name
    assert listed[name].created_at.year >= 2026


async def test_a_model_of_another_tenant_is_none(suite: Suite, stranger: Edge, agent: MakeAgent):
    name = await agent("n=1")
    key = stranger.http.headers["authorization"].removeprefix("Bearer ")

    async with AsyncAnthropic(base_url=suite.url, api_key=key, max_retries=0) as other:
        for model in (name, f"agent/{name}"):
            with pytest.raises(anthropic.NotFoundError):
                await other.messages.create(model=model, max_tokens=1, messages=HELLO)


async def test_errors_are_those_that_the_sdk_knows(
    sdk: AsyncAnthropic, suite: Suite, agent: MakeAgent
):
    with pytest.raises(anthropic.NotFoundError) as missing:
        await sdk.messages.create(model="nobody", max_tokens=1, messages=HELLO)
    assert missing.value.type == "not_found_error"
    with pytest.raises(anthropic.BadRequestError):
        await sdk.messages.create(model="nobody", max_tokens=1, messages=[])
    async with AsyncAnthropic(base_url=suite.url, api_key="tpk_wrong", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError) as unknown:
            await stranger.messages.create(model="m", max_tokens=1, messages=HELLO)
    assert unknown.value.type == "authentication_error"
    limited = await agent("429=1+retry=1+n=1")
    with pytest.raises(anthropic.RateLimitError) as raised:
        await sdk.messages.create(model=limited, max_tokens=9, messages=HELLO)
    assert raised.value.response.headers["retry-after"] == "1"
    assert raised.value.request_id


async def test_the_sdk_tries_again_by_itself(sdk: AsyncAnthropic, agent: MakeAgent):
    limited = await agent("429=2+retry=1+n=4")

    message = await sdk.with_options(max_retries=3).messages.create(
        model=limited, max_tokens=9, messages=HELLO
    )

    assert message.content[0].type == "text"


async def test_a_stream_that_is_cut_ends_with_an_error(sdk: AsyncAnthropic, agent: MakeAgent):
    name = await agent("n=20+die=5")
    said: list[str] = []

    with pytest.raises(anthropic.APIStatusError):
        async with sdk.messages.stream(model=name, max_tokens=100, messages=HELLO) as stream:
            async for text in stream.text_stream:
                said.append(text)

    assert "".join(said) == words(5)
