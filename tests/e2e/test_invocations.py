"""One call of a tool, without a model, over REST and from the command line."""

import asyncio
import json

import pytest

from tests.doubles.effects_journal import Journal
from tests.e2e.edge import Edge, RefusedError
from tests.e2e.folding import Fold
from tests.e2e.suite import TURNPIKE, Suite


async def test_a_call_is_answered_with_its_turn(edge: Edge, journal: Journal, tag: str):
    body = {"arguments": {"tag": tag}, "metadata": {"why": "a test"}}
    turn = await edge.call("POST", "/tools/effects/transfer:call", body, idempotency_key=tag)
    again = await edge.call("POST", "/tools/effects/transfer:call", body, idempotency_key=tag)

    assert turn["status"] == "COMPLETED"
    assert turn["calls"] == [
        {
            "call_id": "call_1_0",
            "name": "effects/transfer",
            "arguments": {"tag": tag},
            "outcome": "OK",
            "result": [{"type": "text", "text": f"done {tag}"}],
            "structured": None,
            "effect": f"{turn['id']}:1:0",
        }
    ]
    assert (turn["agent"], turn["agent_version"], turn["metadata"]) == ("", "", {"why": "a test"})
    assert (again["id"], journal.effects(tag)) == (turn["id"], 1)
    assert turn["id"] in [each["id"] for each in (await edge.call("GET", "/turns"))["turns"]]


async def test_a_call_is_streamed_to_who_accepts_events(edge: Edge):
    fold = Fold()
    async with edge.stream("POST", "/tools/effects/steps:call", {"arguments": {"n": 2}}) as stream:
        async for event in stream.events():
            fold.take(event)

    assert fold.status == "COMPLETED"


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("effects/nothing", {}, 404, "TOOL_NOT_FOUND"),
        ("effects/echo", {"arguments": []}, 400, "INVALID_ARGUMENT"),
        ("effects/echo", {"argument": {}}, 400, "INVALID_ARGUMENT"),
        ("effects", {}, 400, "INVALID_ARGUMENT"),
    ],
    ids=["nothing", "list", "unknown", "connector"],
)
async def test_what_is_no_call_is_a_problem(
    edge: Edge, path: str, body: object, status: int, reason: str
):
    with pytest.raises(RefusedError) as caught:
        await edge.call("POST", f"/tools/{path}:call", body)

    assert (caught.value.status, caught.value.reason) == (status, reason)


async def test_another_tenant_s_tool_is_not_there(stranger: Edge, journal: Journal, tag: str):
    with pytest.raises(RefusedError) as caught:
        await stranger.call("POST", "/tools/effects/transfer:call", {"arguments": {"tag": tag}})

    assert caught.value.status == 404
    assert journal.effects(tag) == 0


async def test_the_command_line_calls_a_tool(suite: Suite):
    async def call(tool: str, arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(str(TURNPIKE), "tools", "call", tool, "--arguments", arguments),
            *("--url", suite.url, "--key", suite.key),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    answered = await call("effects/echo", '{"a": 1}')
    failed = await call("effects/fail", '{"message": "out of paper"}')
    _, misspelt = await call("effects/echo", "{")

    assert (answered[0], json.loads(answered[1])) == (0, {"a": 1})
    assert failed[0] == 1
    assert "out of paper" in failed[1]
    assert "no JSON" in misspelt
