"""Places where people write, each made ready, and then written in."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.agent_runtime.approvals.asking import ASKS, answered, decide, paused, said
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.waiting import until
from turnpike.api.agent_runtime.v1 import completion_service_pb2 as completions
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceStub
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    ContentPart,
    Invocation,
    RunTurnRequest,
    StartTurnRequest,
)


class Entry:
    """One place where somebody writes, made ready; `write` writes a text there."""

    def __init__(self, tenant: Tenant, provider: Provider, tools: Tools) -> None:
        self.tenant = tenant
        self.provider = provider
        self.tools = tools
        self.approval = ""
        self.turn = ""

    async def pause(self, tool: str = "effects__echo", arguments: str = "{}") -> None:
        """Has a turn wait for somebody to decide about a call."""
        await self.tools.offer(self.tenant, **ASKS)
        turn = await paused(self.tenant, self.provider, tool, arguments=arguments)
        self.approval, self.turn = turn.approval.id, turn.id

    async def ask(self, question: dict[str, Any]) -> None:
        """Has an agent ask a person."""
        await self.tenant.agent(tools=["turnpike/ask_person"])
        asked = {"questions": [{"id": "which", "question": "Which?", **question}]}
        turn = await paused(
            self.tenant, self.provider, "turnpike__ask_person", arguments=json.dumps(asked)
        )
        self.approval, self.turn = turn.approval.id, turn.id

    async def prompt_after(self) -> str:
        """Returns what the model is told once somebody has decided."""
        _, ask = await answered(self.tenant, self.provider, self.turn)
        return ask.sent.decode()


Ready = Callable[[Entry], Awaitable[None]]
Write = Callable[[Entry, str], Awaitable[str]]


async def nothing(_: Entry) -> None:
    pass


async def with_tools(entry: Entry) -> None:
    await entry.tools.offer(entry.tenant)


async def paused_call(entry: Entry) -> None:
    await entry.pause()


async def question(entry: Entry) -> None:
    await entry.ask({})


async def question_of_schema(entry: Entry) -> None:
    await entry.ask({"schema": {"type": "object"}})


async def start(entry: Entry, text: str) -> str:
    await entry.tenant.start(text)
    ask = await entry.provider.asked()
    ask.answer("done")
    return ask.sent.decode()


async def start_in_parts(entry: Entry, text: str) -> str:
    request = StartTurnRequest(
        agent="agent", input=[ContentPart(text="first"), ContentPart(text=text)]
    )
    stream = entry.tenant.runtime.turns.RunTurn(
        RunTurnRequest(start=request), metadata=entry.tenant.admin
    )
    await stream.read()
    ask = await entry.provider.asked()
    ask.answer("done")
    stream.cancel()
    return ask.sent.decode()


async def call(entry: Entry, text: str) -> str:
    arguments = json.dumps({"deep": [{"note": text}], "n": 1})
    request = StartTurnRequest(call=Invocation(tool="effects/echo", arguments=arguments))
    response = await entry.tenant.runtime.turns.StartTurn(request, metadata=entry.tenant.admin)
    [made] = (await entry.tenant.ended(response.turn.id)).calls
    return made.structured


async def edit(entry: Entry, text: str) -> str:
    arguments = json.dumps({"deep": [{"note": text}], "n": 1})
    await decide(entry.tenant, entry.approval, said("edit", arguments=arguments))
    return await entry.prompt_after()


async def respond(entry: Entry, text: str) -> str:
    await decide(entry.tenant, entry.approval, said("respond", text=text))
    return await entry.prompt_after()


async def reject(entry: Entry, text: str) -> str:
    await decide(entry.tenant, entry.approval, said("reject", feedback=text))
    return await entry.prompt_after()


async def answer(entry: Entry, text: str) -> str:
    await decide(entry.tenant, entry.approval, said("answer", text=text))
    return await entry.prompt_after()


async def answer_each(entry: Entry, text: str) -> str:
    arguments = json.dumps({"which": text})
    await decide(entry.tenant, entry.approval, said("answer", arguments=arguments))
    return await entry.prompt_after()


async def answer_in_escapes(entry: Entry, text: str) -> str:
    written = "".join(f"\\u{ord(each):04x}" for each in text)
    await decide(entry.tenant, entry.approval, said("answer", text=f'{{"a": "{written}"}}'))
    return await entry.prompt_after()


async def complete(entry: Entry, *messages: dict[str, Any]) -> str:
    stub = CompletionServiceStub(entry.tenant.runtime.channel)
    request = completions.StreamCompletionRequest(
        model="model", messages=[json.dumps(each) for each in messages]
    )
    stream = stub.StreamCompletion(request, metadata=entry.tenant.admin)
    asked = len(entry.provider.asks)
    await until(lambda: len(entry.provider.asks) > asked or stream.done())
    if stream.done():
        await stream.read()
    ask = await entry.provider.asked()
    ask.answer("done")
    async for _ in stream:
        pass
    return ask.sent.decode()


async def proxied(entry: Entry, text: str) -> str:
    earlier = {"role": "assistant", "content": "hello"}
    return await complete(entry, earlier, {"role": "user", "content": text})


async def proxied_in_parts(entry: Entry, text: str) -> str:
    parts = [{"type": "text", "text": "first"}, {"type": "text", "text": text}]
    return await complete(entry, {"role": "user", "content": parts})


ENTRIES = [
    pytest.param(nothing, start, "input[0].text", id="start"),
    pytest.param(nothing, start_in_parts, "input[1].text", id="run-in-parts"),
    pytest.param(with_tools, call, "call.arguments", id="call"),
    pytest.param(paused_call, edit, "decisions[0].arguments", id="edit"),
    pytest.param(paused_call, respond, "decisions[0].text", id="respond"),
    pytest.param(paused_call, reject, "decisions[0].feedback", id="reject"),
    pytest.param(question, answer, "decisions[0].text", id="answer"),
    pytest.param(question, answer_each, "decisions[0].arguments", id="answer-each"),
    pytest.param(
        question_of_schema, answer_in_escapes, "decisions[0].text", id="answer-in-escapes"
    ),
    pytest.param(nothing, proxied, "messages[1].content", id="proxied"),
    pytest.param(nothing, proxied_in_parts, "messages[0].content", id="proxied-in-parts"),
]
