"""Clients on Node, unmodified: OpenAI's SDK, and a coding agent that does its task through us."""

import asyncio
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.mcp_servers import NODE, TESTS
from tests.e2e.suite import Suite, until_it
from tests.e2e.test_openai_chat import ModelsLog, words

CLIENTS = TESTS / "clients"
CODER = CLIENTS / "node_modules/@qwen-code/qwen-code/cli.js"
MOST_SECONDS = 100


async def node(cwd: Path, *arguments: Path | str, **variables: str) -> Any:
    """Runs a program on Node, and returns the JSON that its last line is."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        *map(str, arguments),
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MOST_SECONDS):
            out, problems = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (out + problems).decode()[-4000:]
    return json.loads(out.decode().strip().splitlines()[-1])


async def test_openais_sdk_for_node_works_unchanged(suite: Suite, agent: MakeAgent):
    name = await agent("n=30+us=200")
    asks = await agent('tool=weather+arg={"city":"Oslo"}+pieces=3')
    limited = await agent("429=1+retry=1+n=4")

    saw = await node(
        CLIENTS,
        CLIENTS / "openai_sdk.mjs",
        *(f"agent/{name}", name, asks, limited),
        OPENAI_BASE_URL=f"{suite.url}/v1",
        OPENAI_API_KEY=suite.key,
    )

    assert {name, f"agent/{name}"} <= set(saw["models"])
    assert saw["whole"] == saw["streamed"] == saw["resumed"] == words(30)
    assert saw["calls"] == [["weather", '{"city":"Oslo"}']]
    assert saw["numbers"] == sorted(set(saw["numbers"]))
    assert saw["tried"] == words(4)
    assert saw["embedded"] == [384, 384]
    assert saw["refused"] == {"status": 404, "kind": "NotFoundError", "code": "not_found"}


@pytest.mark.parametrize("form", ["openai", "openai-responses", "anthropic"])
async def test_a_coding_agent_edits_a_file(
    suite: Suite, agent: MakeAgent, edge: Edge, models_log: ModelsLog, tmp_path: Path, form: str
):
    """It reads the file, edits it and says so: three requests, each the one before and more."""
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    greeting = work / "greeting.txt"
    greeting.write_text("hello\n")
    read = json.dumps({"file_path": str(greeting)}).replace("/", "%2F")
    change = {"file_path": str(greeting), "old_string": "hello", "new_string": "good morning"}
    edit = json.dumps(change).replace("/", "%2F")
    script = f"tool=read_file+arg={read}+next=edit+nextarg={edit}+n=3"
    name = await agent(script)
    headers = {"x-session-id": f"coder-{form}"}
    told = {"model": {"generationConfig": {"customHeaders": headers}}}
    settings = home / ".qwen" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(told))

    messages = await node(
        work,
        *(CODER, "--auth-type", form, "--model", name, "--yolo", "--safe-mode"),
        *("--telemetry=false", "--output-format", "json", "Make the greeting friendlier."),
        HOME=str(home),
        OPENAI_BASE_URL=f"{suite.url}/v1",
        OPENAI_API_KEY=suite.key,
        ANTHROPIC_BASE_URL=suite.url,
        ANTHROPIC_API_KEY=suite.key,
    )

    assert greeting.read_text() == "good morning\n"
    assert messages[-1]["result"].strip() == words(3).strip()
    asked = [entry["body"]["messages"] for entry in await models_log(script)]
    assert len(asked) == 3
    for before, after in pairwise(asked):
        assert after[: len(before)] == before
    # Spelled as the model did, though one of the forms has arguments as objects.
    calls = [call for message in asked[-1] for call in message.get("tool_calls") or ()]
    assert [call["function"]["arguments"] for call in calls] == [
        json.dumps({"file_path": str(greeting)}),
        json.dumps(change),
    ]
    await until_it(lambda: never_missed(edge, name))


async def never_missed(edge: Edge, model: str) -> bool:
    """Tells whether a model's session is kept whole, and began with what it began with before."""
    sessions = (await edge.http.get("/admin/sessions")).json()["sessions"]
    # A session's model is known with its first commit, which nobody waits for.
    boundaries = [each["boundaries"] for each in sessions if each["model"] == model]
    misses = [[kept["miss"] for kept in each] for each in boundaries]
    return misses == [["NEW_SESSION", None, None]]
