"""Conversations of clients that send their own history, through the whole suite."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from tests.agent_runtime.prefix.client import TOOLS, respelling
from tests.agent_runtime.prefix.ledgers import is_one_prefix
from tests.doubles.processes import Double
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import TURNPIKE, Suite, environment, until_it

PROMISED = {
    "gatekeeper": ("admission_decisions_total", "admission_seconds"),
    "agent-runtime": (
        "turn_first_delta_seconds",
        "model_first_delta_seconds",
        "takeovers_total",
        "fence_refusals_total",
        "log_gaps_total",
        "turn_tool_calls_total",
        "prefix_requests_total",
        "prefix_commits_total",
        "prefix_breaches_total",
        "prefix_cached_tokens_total",
        "prefix_predicted_tokens_total",
    ),
    "tool-registry": ("tool_calls_total", "tool_fence_refusals_total", "rpc_server_seconds"),
    "embedding": ("embedding_tokens_total", "embedding_queue_seconds", "rpc_server_seconds"),
    "gateway": ("gateway_request_seconds", "gateway_stream_ends_total"),
}
# What agent-runtime counted at least, after three requests of which one was a turn's.
LEAST = {
    "prefix_cached_tokens_total": 1,
    "prefix_context_tokens_count": 3,
    "model_first_delta_seconds_count": 3,
    "turn_first_delta_seconds_count": 1,
}
ARGUMENTS = '{"n": 1.50, "größe": "é", "z": [1, null]}'


async def listed(edge: Edge, model: str) -> list[dict[str, Any]]:
    """Returns the sessions in which a model was asked."""
    response = await edge.http.get("/admin/sessions", params={"page_size": 500})
    response.raise_for_status()
    return [each for each in response.json()["sessions"] if each["model"] == model]


async def sent_to(model: Double, script: str) -> list[bytes]:
    """Returns the requests that the provider received under a model's name, byte for byte."""
    async with httpx.AsyncClient() as client:
        sent = (await client.get(f"{model.origin}/sent")).json()["sent"]
    return [body.encode() for body in sent if orjson.loads(body)["model"] == script]


@dataclass
class Conversation:
    """A client's conversation with a model, spelled anew with each request."""

    edge: Edge
    model: str
    session: str
    header: str = "x-session-id"
    spell: Callable[[Any], bytes] = orjson.dumps
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    requests: int = 0

    async def ask(self, *messages: dict[str, Any]) -> dict[str, Any]:
        """Says something, and is answered; returns once that is committed."""
        self.messages += messages
        history = b",".join(self.spell(message) for message in self.messages)
        fields = b'"model":%b,"tools":%b' % (orjson.dumps(self.model), self.spell(TOOLS))
        response = await self.edge.http.post(
            "/v1/chat/completions",
            content=b"{" + fields + b', "messages" : [' + history + b"]}",
            headers={self.header: self.session, "content-type": "application/json"},
        )
        assert response.status_code == 200, response.text
        said = response.json()["choices"][0]["message"]
        self.messages.append(said)
        self.requests += 1
        await until_it(self._committed)
        return said

    async def turn(self, text: str) -> None:
        """Says something, and gives the model what it asks its tools for."""
        said = await self.ask({"role": "user", "content": text})
        calls = said.get("tool_calls") or []
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": f"{text}: {index}"}
            for index, call in enumerate(calls)
        ]
        await self.ask(*results)

    async def _committed(self) -> bool:
        # The newest is listed first; its model is known with its first commit.
        newest = next(iter(await listed(self.edge, self.model)), None)
        return bool(newest and not newest["in_flight"] and newest["revision"] == self.requests)


async def test_row_46_a_client_that_respells_its_history_keeps_its_prefix_through_the_edge(
    edge: Edge, agent: MakeAgent, model: Double
):
    script = f"n=3+tool=read+calls=2+arg={ARGUMENTS}"
    name = await agent(script)
    client = Conversation(edge, name, "a-conversation", spell=respelling(11))

    for number in range(7):
        await client.turn(f"turn {number}: ü")

    sent = await sent_to(model, script)
    assert len(sent) == 14
    assert is_one_prefix(sent)
    # The arguments go back as the model wrote them, however the client spells them.
    assert sent[-1].count(b'"arguments":' + orjson.dumps(ARGUMENTS)) == 14
    (session,) = await listed(edge, name)
    assert (session["epoch"], session["revision"], session["last_outcome"]) == (1, 14, "COMMITTED")
    assert [each["miss"] for each in session["boundaries"]] == ["NEW_SESSION", *[None] * 13]
    contexts = [each["context_tokens"] for each in session["boundaries"]]
    cached = sum(each["cached_tokens"] for each in session["boundaries"])
    assert contexts == sorted(contexts)
    assert cached / sum(contexts[:-1]) >= 0.97
    assert session["hit_share"] == pytest.approx(cached / sum(contexts))
    assert session["first_delta_ms"] is not None


async def test_row_45_the_headers_of_many_clients_name_a_conversation_and_none_only_a_user(
    edge: Edge, agent: MakeAgent, tag: str
):
    name = await agent("n=1")
    hello = {"role": "user", "content": "hello"}

    for header in ("x-session-affinity", "x-openwebui-chat-id", "x-claude-code-session-id"):
        await Conversation(edge, name, f"{tag}-{header}", header).ask(hello)
    response = await edge.http.post(
        "/v1/chat/completions",
        json={"model": name, "messages": [hello], "user": tag},
        headers={"x-openwebui-user-id": tag},
    )

    assert response.status_code == 200

    async def each_has_its_own() -> bool:
        return [each["revision"] for each in await listed(edge, name)] == [1, 1, 1]

    await until_it(each_has_its_own)


async def test_row_52_two_tenants_with_one_opening_share_no_key_and_no_ledger_entry(
    edge: Edge, stranger: Edge, model: Double, tag: str
):
    script = "n=2+arg=two-tenants"
    opening = {"role": "user", "content": f"hello {tag}"}
    for tenant in (edge, stranger):
        await tenant.agent(tag, script, model.url)

    ours, theirs = Conversation(edge, tag, "same"), Conversation(stranger, tag, "same")
    await ours.ask(opening)
    await ours.ask({"role": "user", "content": "a canary of ours"})
    await theirs.ask(opening)
    await theirs.ask({"role": "user", "content": "something else"})

    sent = [orjson.loads(body) for body in await sent_to(model, script)]
    keys = [body["prompt_cache_key"] for body in sent]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert not any("canary" in str(body["messages"]) for body in sent[2:])
    (one,), (other,) = await listed(edge, tag), await listed(stranger, tag)
    assert one["session"] != other["session"]
    # Nothing of the other's was cached for it.
    assert other["boundaries"][0]["cached_tokens"] == 0


async def test_sessions_are_admins_business(
    edge: Edge, make_key: Callable[[str], Awaitable[dict[str, Any]]]
):
    member = edge.with_key((await make_key("MEMBER"))["key"])

    response = await member.http.get("/admin/sessions")

    assert (response.status_code, response.json()["reason"]) == (403, "FORBIDDEN")


async def test_the_terminal_shows_sessions(suite: Suite, edge: Edge, agent: MakeAgent):
    name = await agent("n=2")
    client = Conversation(edge, name, "terminal")
    await client.ask({"role": "user", "content": "one"})
    client.messages[0] = {"role": "user", "content": "another"}
    await client.ask({"role": "user", "content": "two"})

    async def shown(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(TURNPIKE),
            "sessions",
            *arguments,
            env=environment(suite.home, {}),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0
        return output.decode()

    lines = [line for line in (await shown()).splitlines() if name in line]
    session = next(
        orjson.loads(line) for line in (await shown("--json")).splitlines() if name in line
    )

    assert len(lines) == 1
    assert "epoch 2" in lines[0] and "last miss DIVERGENCE at element 1, byte" in lines[0]
    assert session["difference"]["request"].startswith('{"content":"another')
    assert session["model"] == name


async def test_every_service_counts_what_the_design_promises(
    suite: Suite, edge: Edge, agent: MakeAgent
):
    name = await agent("n=2")
    client = Conversation(edge, name, "metrics")
    await client.ask({"role": "user", "content": "one" + "x" * 1000})
    await client.ask({"role": "user", "content": "two"})
    await edge.run(name)

    shown: dict[str, str] = {}

    async def are_counted() -> bool:
        # Some is counted behind the answer: what is committed, and how a stream ended.
        shown.clear()
        async with httpx.AsyncClient() as http:
            for process in suite.processes:
                response = await http.get(process.metrics)
                shown[process.service] = shown.get(process.service, "") + response.text
        counts = {metric: total(shown["agent-runtime"], metric) for metric in LEAST}
        return not missing(shown) and all(counts[each] >= least for each, least in LEAST.items())

    await until_it(are_counted)
    assert total(shown["agent-runtime"], "prefix_breaches_total") == 0


def missing(shown: dict[str, str]) -> list[str]:
    """Returns what is promised and not there."""
    return [
        f"{service} {metric}"
        for service, promised in PROMISED.items()
        for metric in promised
        if f"turnpike_{metric}" not in shown[service]
    ]


def total(shown: str, metric: str) -> float:
    """Adds up a metric of all labels and processes."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in shown.splitlines()
        if line.startswith((f"turnpike_{metric}{{", f"turnpike_{metric} "))
    )
