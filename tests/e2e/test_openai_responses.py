"""Responses as OpenAI's own SDK asks them, unmodified."""

import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import openai
import pytest
from openai import AsyncOpenAI

from tests.doubles.effects_journal import Journal
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_openai_chat import ModelsLog, words

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "Says how the weather is.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
async def sdk(suite: Suite) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's client, told nothing but where and by which key."""
    async with AsyncOpenAI(base_url=f"{suite.url}/v1", api_key=suite.key, max_retries=0) as client:
        yield client


async def test_a_response_is_created_and_found_again(sdk: AsyncOpenAI, agent: MakeAgent):
    model = f"agent/{await agent('n=4+think=2')}"

    made = await sdk.responses.create(model=model, input="hello", metadata={"k": "v"})
    found = await sdk.responses.retrieve(made.id)

    assert (made.status, made.output_text) == ("completed", words(4))
    assert [item.type for item in made.output] == ["reasoning", "message"]
    assert made.usage is not None
    assert made.usage.output_tokens == 4
    assert found.model_dump() == made.model_dump()
    assert found.metadata == {"k": "v"}


async def test_a_stream_adds_up_to_the_response(sdk: AsyncOpenAI, agent: MakeAgent, tag: str):
    script = f'tool=effects__echo+arg={{"text":"{tag}"}}+think=2+n=9'
    model = f"agent/{await agent(script, tools=['effects/*'])}"

    async with sdk.responses.stream(model=model, input="hello") as stream:
        events: list[Any] = [event async for event in stream]
        final = await stream.get_final_response()

    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    assert [item.type for item in final.output] == ["reasoning", "mcp_call", "reasoning", "message"]
    assert final.output_text == words(9)
    call: Any = final.output[1]
    assert (call.server_label, call.name, call.status) == ("effects", "echo", "completed")
    assert call.output
    added = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert added == words(9)
    assert (await sdk.responses.retrieve(final.id)).output_text == words(9)


async def test_a_stream_that_was_cut_goes_on_after_its_last_event(
    sdk: AsyncOpenAI, agent: MakeAgent
):
    model = f"agent/{await agent('n=60+us=3000')}"
    told: list[Any] = []

    stream = await sdk.responses.create(model=model, input="hello", stream=True, background=True)
    async for event in stream:
        told.append(event)
        if len(told) == 12:
            break
    await stream.close()
    identity = told[0].response.id
    rest = await sdk.responses.retrieve(
        identity, stream=True, starting_after=told[-1].sequence_number
    )
    told += [event async for event in rest]

    numbers = [event.sequence_number for event in told]
    assert numbers == sorted(set(numbers))
    deltas = [event.delta for event in told if event.type == "response.output_text.delta"]
    assert "".join(deltas) == words(60)
    assert told[-1].type == "response.completed"
    whole = await sdk.responses.retrieve(identity, stream=True)
    again = [event async for event in whole]
    assert [event.model_dump() for event in again][1:] == [event.model_dump() for event in told][1:]


async def test_a_background_response_is_cancelled(sdk: AsyncOpenAI, agent: MakeAgent, edge: Edge):
    model = f"agent/{await agent('n=100000+us=2000')}"

    made = await sdk.responses.create(model=model, input="hello", background=True)
    assert made.status in ("queued", "in_progress")
    ended = await sdk.responses.cancel(made.id)

    assert ended.status == "cancelled"
    assert (await sdk.responses.retrieve(made.id)).status == "cancelled"
    turn = made.id.removeprefix("resp_")
    assert (await edge.turn(turn))["status"] == "CANCELLED"


async def test_a_conversation_goes_on_from_a_response(sdk: AsyncOpenAI, agent: MakeAgent):
    model = f"agent/{await agent('n=1')}"

    first: Any = await sdk.responses.create(model=model, input="one")
    second: Any = await sdk.responses.create(
        model=model,
        input=[{"role": "user", "content": [{"type": "input_text", "text": "two"}]}],
        previous_response_id=first.id,
    )
    third: Any = await sdk.responses.create(
        model=model, input="three", conversation=first.conversation.id
    )

    assert first.conversation.id == second.conversation.id == third.conversation.id
    assert third.usage.input_tokens > second.usage.input_tokens > first.usage.input_tokens


async def test_what_cannot_be_had_is_refused(
    sdk: AsyncOpenAI, agent: MakeAgent, stranger: Edge, suite: Suite
):
    name = await agent("n=1")
    made = await sdk.responses.create(model=f"agent/{name}", input="hello")
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"model": f"agent/{name}", "input": "x", "temperature": 1}, "temperature"),
        ({"model": f"agent/{name}", "input": "x", "max_tool_calls": 1}, "max_tool_calls"),
        ({"model": f"agent/{name}", "input": [answer("a", approve=True) | {"k": 1}]}, "input[0].k"),
        (
            {
                "model": f"agent/{name}",
                "input": [answer(f"mcpr_{uuid4().hex}_c", approve=True) for _ in range(2)],
            },
            "input[1]",
        ),
    ]
    for asked, parameter in refusals:
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.responses.create(**asked)
        assert refused.value.param == parameter
    key = stranger.http.headers["authorization"].removeprefix("Bearer ")
    async with AsyncOpenAI(base_url=f"{suite.url}/v1", api_key=key, max_retries=0) as other:
        for identity in (made.id, "resp_nonsense", "nonsense"):
            with pytest.raises(openai.NotFoundError):
                await other.responses.retrieve(identity)
            with pytest.raises(openai.NotFoundError):
                await other.responses.cancel(identity)
        with pytest.raises(openai.NotFoundError):
            await other.responses.create(
                model=f"agent/{name}", input="x", previous_response_id=made.id
            )


def answer(request: str, *, approve: bool, **more: Any) -> dict[str, Any]:
    """Returns yes or no to a call."""
    kind = "mcp_approval_response"
    return {"type": kind, "approval_request_id": request, "approve": approve, **more}


def ids(response: Any) -> list[str]:
    return [item.id for item in response.output]


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_client_is_asked_for_approval_and_gives_it(
    sdk: AsyncOpenAI, agent: MakeAgent, journal: Journal, tag: str, streamed: bool
):
    script = f'tool=effects__transfer+arg={{"tag":"{tag}"}}+n=3'
    policy = {"ask": ["effects/*"]}
    model = f"agent/{await agent(script, tools=['effects/*'], policy=policy)}"

    async def respond(**asked: Any) -> Any:
        if not streamed:
            return await sdk.responses.create(model=model, **asked)
        async with sdk.responses.stream(model=model, **asked) as stream:
            numbers = [event.sequence_number async for event in stream]
            assert numbers == sorted(set(numbers))
            return await stream.get_final_response()

    first = await respond(input="go on")
    (asked,) = [item for item in first.output if item.type == "mcp_approval_request"]
    assert first.status == "completed"
    assert (asked.server_label, asked.name) == ("effects", "transfer")
    assert json.loads(asked.arguments) == {"tag": tag}
    assert not [item for item in first.output if item.type == "mcp_call"]
    assert ids(await sdk.responses.retrieve(first.id)) == ids(first)
    assert journal.effects(tag) == 0

    yes: Any = {"previous_response_id": first.id, "input": [answer(asked.id, approve=True)]}
    second = await respond(**yes)
    assert (second.status, second.output_text) == ("completed", words(3))
    assert [item.type for item in second.output] == ["mcp_call", "message"]
    assert second.output[0].approval_request_id == asked.id
    assert second.output[0].status == "completed"
    assert second.id != first.id
    assert ids(await sdk.responses.retrieve(second.id)) == ids(second)
    # The turn as a whole, for who decided elsewhere.
    whole = await sdk.responses.retrieve(first.id)
    assert [item.type for item in whole.output] == ["mcp_approval_request", "mcp_call", "message"]
    # The client tries again: it is answered as the first time, and nothing runs twice.
    again = await respond(**yes)
    assert (again.id, ids(again)) == (second.id, ids(second))
    assert journal.effects(tag) == 1
    no: Any = {"input": [answer(asked.id, approve=False)]}
    with pytest.raises(openai.ConflictError) as late:
        await sdk.responses.create(model=model, **no)
    assert late.value.code == "approval_decided"


async def test_a_client_says_no_and_why(sdk: AsyncOpenAI, agent: MakeAgent, tag: str):
    script = f'tool=effects__transfer+arg={{"tag":"{tag}"}}+n=2'
    policy = {"ask": ["effects/*"]}
    model = f"agent/{await agent(script, tools=['effects/*'], policy=policy)}"

    first: Any = await sdk.responses.create(model=model, input="go on")
    said: Any = [answer(first.output[-1].id, approve=False, reason="not today")]
    second: Any = await sdk.responses.create(model=model, input=said)

    assert [item.type for item in second.output] == ["mcp_call", "message"]
    assert second.output[0].status == "failed"
    assert "not today" in second.output[0].error


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_model_responds_with_the_clients_own_tools(
    sdk: AsyncOpenAI, agent: MakeAgent, models_log: ModelsLog, streamed: bool
):
    script = f'tool=weather+arg={{"city":"Oslo"}}+calls=2+pieces=3+think=1+n=2+{streamed}'
    asked: Any = {"model": await agent(script), "tools": [TOOL], "instructions": "Be brief."}
    items: Any = [{"role": "user", "content": "hello"}]

    if streamed:
        async with sdk.responses.stream(input=items, **asked) as stream:
            numbers = [event.sequence_number async for event in stream]
            first = await stream.get_final_response()
        assert numbers == list(range(len(numbers)))
    else:
        first = await sdk.responses.create(input=items, **asked)

    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.name, call.arguments) for call in calls] == [("weather", '{"city":"Oslo"}')] * 2
    assert (first.status, first.usage is not None) == ("completed", True)
    items += [item.to_dict() for item in first.output]
    items += [
        {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        for call in calls
    ]
    items += [{"role": "user", "content": [{"type": "input_text", "text": "and?"}]}]
    second = await sdk.responses.create(
        input=items, max_output_tokens=9, reasoning={"effort": "low"}, **asked
    )
    assert second.output[-1].type == "function_call"
    sent = (await models_log(script))[-1]["body"]
    assert [message["role"] for message in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]
    assert len(sent["messages"][2]["tool_calls"]) == 2
    assert (sent["max_tokens"], sent["reasoning_effort"]) == (9, "low")
    assert sent["tools"][0]["function"]["parameters"] == TOOL["parameters"]


async def test_a_models_response_is_text_in_the_form_that_is_asked(
    sdk: AsyncOpenAI, agent: MakeAgent, models_log: ModelsLog
):
    script = "n=3+arg=formed"
    schema: Any = {"type": "object", "properties": {"a": {"type": "string"}}}
    form: Any = {"type": "json_schema", "name": "form", "schema": schema}

    response = await sdk.responses.create(
        model=await agent(script),
        input="hello",
        text={"format": form},
    )

    assert response.output_text == words(3)
    sent = (await models_log(script))[-1]["body"]
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "form", "schema": schema},
    }


def request(model: str, asked: dict[str, Any]) -> Any:
    """Returns the arguments of a response."""
    return {"model": model, "input": "hello", **asked}


async def test_what_a_model_cannot_keep_is_refused_by_name(sdk: AsyncOpenAI, agent: MakeAgent):
    name = await agent("n=1")
    refused: list[tuple[str, dict[str, Any]]] = [
        ("background", {"background": True}),
        ("store", {"store": True}),
        ("previous_response_id", {"previous_response_id": "resp_1"}),
        ("tools[0]", {"tools": [{"type": "web_search"}]}),
        ("input[0]", {"input": [{"type": "item_reference", "id": "i"}]}),
    ]

    for parameter, asked in refused:
        with pytest.raises(openai.BadRequestError) as raised:
            await sdk.responses.create(**request(name, asked))
        assert raised.value.param == parameter


async def test_a_models_response_that_is_cut_is_an_error(sdk: AsyncOpenAI, agent: MakeAgent):
    name = await agent("n=20+die=5")

    with pytest.raises(openai.InternalServerError):
        await sdk.responses.create(model=name, input="hello")
    stream = await sdk.responses.create(model=name, input="hello", stream=True)
    events = [event async for event in stream]

    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == words(5)
    assert events[-1].type in ("response.failed", "error")
