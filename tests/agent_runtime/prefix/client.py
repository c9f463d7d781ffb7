"""A client of the OpenAI wire that sends its own history again with each request."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson

from turnpike.agent_runtime.models.openai_wire import request_body
from turnpike.agent_runtime.models.prompt import Caching, Message, Model, Prompt
from turnpike.agent_runtime.prefix.clients import Asking, Begun, ClientSessions
from turnpike.agent_runtime.prefix.model import Reported

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"The tool {name}.",
            "parameters": {"type": "object", "properties": {"n": {"type": "number"}}},
        },
    }
    for name in ("read", "write")
]


@dataclass
class Client:
    """One conversation, sent through a ledger to a model server."""

    sessions: ClientSessions
    url: str
    tenant: UUID = field(default_factory=uuid4)
    principal: UUID = field(default_factory=uuid4)
    given: str = "session"
    model: str = "n=3"
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tools: list[dict[str, Any]] = field(default_factory=lambda: list(TOOLS))
    spell: Callable[[Any], bytes] = orjson.dumps
    """How it writes JSON."""

    def asking(self) -> Asking:
        """Returns its next request."""
        model = Model(
            tenant=self.tenant,
            name=self.model,
            provider="openai",
            model=self.model,
            base_url=self.url,
            api_key="k",
            prices=None,
        )
        return Asking(
            tenant=self.tenant,
            principal=self.principal,
            given=self.given,
            request=str(uuid4()),
            model=model,
            tools=self.spell(self.tools),
            messages=[self.spell(message) for message in self.messages],
        )

    async def begin(self) -> Begun:
        """Asks the ledger what to send."""
        return await self.sessions.begin(self.asking())

    async def send(self, begun: Begun) -> dict[str, Any]:
        """Sends a request, and returns the completion."""
        return await complete(begun)

    async def ask(self, text: str = "go on") -> Begun:
        """Says something, and is answered; the next request may follow at once."""
        self.messages.append({"role": "user", "content": text})
        begun = await self.begin()
        completion = await self.send(begun)
        self.hear(begun, completion)
        return begun

    def hear(self, begun: Begun, completion: dict[str, Any]) -> None:
        """Keeps an answer, as the client and the ledger do."""
        said = completion["choices"][0]["message"]
        self.sessions.commit(begun, reply=orjson.dumps(said), reported=usage(completion))
        self.messages.append(said)


async def complete(begun: Begun) -> dict[str, Any]:
    """Sends what was begun, byte for byte, and returns the completion."""
    prompt = Prompt(
        model=begun.asking.model,
        messages=tuple(Message(role="user", text="", wire=each) for each in begun.messages),
        tools=(),
        tools_wire=begun.tools,
        traceparent="",
        caching=Caching(key=begun.cache_key),
    )
    body = request_body(prompt).replace(b'"stream":true', b'"stream":false', 1)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{begun.asking.model.base_url}/chat/completions", data=body) as response,
    ):
        assert response.status == 200
        return await response.json()


def usage(completion: dict[str, Any]) -> Reported:
    """Returns what a completion says of its prompt."""
    found = completion["usage"]
    return Reported(
        prompt_tokens=found["prompt_tokens"],
        cached_tokens=found["prompt_tokens_details"]["cached_tokens"],
    )


async def settled(client: Client) -> None:
    """Returns when nothing that the client's sessions began is under way."""
    async with asyncio.timeout(15):
        while client.sessions.under_way:
            await asyncio.wait(client.sessions.under_way)


def respelling(seed: int) -> Callable[[Any], bytes]:
    """Returns a writer of JSON that spells the same thing anew each time."""
    random = Random(seed)

    def spell(value: Any) -> bytes:
        separators = random.choice([(",", ":"), (", ", ": "), (" ,", ":  ")])
        plain = random.random() < 0.5
        varied = _varied(value, random)
        return json.dumps(varied, ensure_ascii=plain, separators=separators).encode()

    return spell


def _varied(value: Any, random: Random) -> Any:
    if isinstance(value, list):
        return [_varied(each, random) for each in value]
    if not isinstance(value, dict):
        return value
    varied = {key: _varied(each, random) for key, each in value.items()}
    if "role" in varied:
        _vary_content(varied, random)
    if isinstance(arguments := varied.get("arguments"), str):
        loaded = json.loads(arguments)
        varied["arguments"] = json.dumps(loaded, indent=random.choice([None, 1, 2]))
    items = list(varied.items())
    random.shuffle(items)
    return dict(items)


def _vary_content(message: dict[str, Any], random: Random) -> None:
    content = message.get("content")
    if content is None or content == "":
        message["content"] = random.choice([None, "", []])
    elif isinstance(content, str) and random.random() < 0.5:
        message["content"] = [{"type": "text", "text": content}]
    if random.random() < 0.5:
        message.setdefault("name", None)
        message.setdefault("refusal", None)
