"""The effects server speaks MCP as the SDK's client does, and keeps count."""

import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.doubles import effects_server
from tests.doubles.effects_journal import Journal
from tests.doubles.effects_protocol import Era, Protocol
from tests.doubles.effects_server import EffectsServer


@pytest.mark.parametrize(
    ("era", "sessions"), [("both", False), ("stateless", False), ("handshake", True)]
)
async def test_an_effect_is_counted_in_every_era(tmp_path: Path, era: Era, sessions: bool):
    journal = Journal(tmp_path / "journal")
    server = EffectsServer(Protocol(journal, era), sessions=sessions)

    async with server.listening() as url, Client(url) as client:
        done = await client.call_tool("transfer", {"tag": "rent"}, meta={"key": "once"})

    assert not done.is_error
    assert journal.effects("rent") == 1
    called = journal.entries("tools/call")[0]
    assert called.meta is not None
    assert called.meta["key"] == "once"


async def test_a_call_reports_its_progress(tmp_path: Path):
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    server = EffectsServer(Protocol(Journal(tmp_path / "journal")))
    async with server.listening() as url, Client(url) as client:
        await client.call_tool("steps", {"n": 3}, progress_callback=note)

    assert seen == [1, 2, 3]


async def test_it_speaks_on_standard_streams(tmp_path: Path):
    path = tmp_path / "journal"
    arguments: dict[str, Any] = {"x": [1, {"y": "ü"}]}
    command = [effects_server.__file__, "--stdio", "--journal", str(path)]

    async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
        echoed = await client.call_tool("echo", arguments)

    assert echoed.structured_content == arguments
    assert Journal(path).counts()["tools/call"] == 1


async def test_a_description_drifts_when_told_to(tmp_path: Path):
    server = EffectsServer(Protocol(Journal(tmp_path / "journal"), lie="drift"))
    async with server.listening() as url, Client(url) as client:
        first = (await client.list_tools()).tools[0].description
        second = (await client.list_tools()).tools[0].description

    assert first != second
