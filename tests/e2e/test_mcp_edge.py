"""Ours as an MCP server: what a tenant's clients list and call at `/mcp`, in both eras."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.doubles.effects_journal import Journal
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import JSON, Edge
from tests.e2e.suite import Suite
from tests.waiting import until

ERAS = ["legacy", "2026-07-28"]


@asynccontextmanager
async def client(suite: Suite, era: str, key: str | None = None) -> AsyncGenerator[Client]:
    """An MCP client of the edge."""
    headers = {"authorization": f"Bearer {key or suite.key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{suite.url}/mcp", http_client=http)
        async with Client(transport, mode=era) as connected:
            yield connected


def texts(result: Any) -> list[str]:
    """Returns the texts of a result."""
    return [block.text for block in result.content]


async def newest(edge: Edge) -> JSON:
    """Returns the newest turn."""
    return (await edge.call("GET", "/turns?page_size=1"))["turns"][0]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_calls_what_it_lists(
    suite: Suite, edge: Edge, journal: Journal, tag: str, era: str
):
    async with client(suite, era) as mcp:
        listed = {tool.name: tool for tool in (await mcp.list_tools()).tools}
        result = await mcp.call_tool("effects__transfer", {"tag": f"{tag}-{era}"})
        echoed = await mcp.call_tool("effects__echo", {"a": [1, {"b": "ä"}]})

    assert listed["effects__transfer"].input_schema["required"] == ["tag"]
    assert listed["effects__peek"].annotations is not None
    assert listed["effects__peek"].annotations.read_only_hint is True
    assert (result.is_error, texts(result)) == (False, [f"done {tag}-{era}"])
    assert journal.effects(f"{tag}-{era}") == 1
    assert echoed.structured_content == {"a": [1, {"b": "ä"}]}
    assert result.meta is not None
    turn = await edge.turn(result.meta["turnpike/turn"])
    assert (turn["status"], turn["calls"][0]["name"]) == ("COMPLETED", "effects/transfer")
    assert turn["usage"]["cost_micro_usd"] == 0


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_is_a_tool(suite: Suite, agent: MakeAgent, era: str):
    name = await agent("n=3")
    async with client(suite, era) as mcp:
        result = await mcp.call_tool(f"agent__{name}", {"input": "hi"})
        assert result.meta is not None
        thread = result.meta["turnpike/thread"]
        again = await mcp.call_tool(f"agent__{name}", {"input": "and?", "thread": thread})
        unfit = await mcp.call_tool(f"agent__{name}", {"text": "hi"})

    assert (result.is_error, texts(result)) == (False, ["~0 ~1 ~2 "])
    assert again.meta is not None
    assert again.meta["turnpike/thread"] == thread
    assert unfit.is_error
    assert "input" in texts(unfit)[0]


@pytest.mark.parametrize("era", ERAS)
async def test_how_a_call_fares_is_told(suite: Suite, era: str):
    told: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with client(suite, era) as mcp:
        await mcp.call_tool("effects__steps", {"n": 3, "seconds": 0.1}, progress_callback=tell)

    assert told
    assert told == sorted(told)


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_fails_is_a_result_and_a_name_that_is_none_is_an_error(
    suite: Suite, era: str
):
    async with client(suite, era) as mcp:
        failed = await mcp.call_tool("effects__fail", {"message": "out of paper"})
        unfit = await mcp.call_tool("effects__transfer", {"tag": 1})
        with pytest.raises(MCPError) as caught:
            await mcp.call_tool("effects__nothing", {})

    assert failed.is_error
    assert "out of paper" in texts(failed)[0]
    assert unfit.is_error
    assert (caught.value.code, "effects__nothing" in caught.value.message) == (-32602, True)


@pytest.mark.parametrize("era", ERAS)
async def test_cancelling_a_call_cancels_its_turn(
    suite: Suite, edge: Edge, journal: Journal, tag: str, era: str
):
    async with client(suite, era) as mcp:
        calling = asyncio.create_task(
            mcp.call_tool("effects__transfer", {"tag": f"{tag}-{era}", "seconds": 60})
        )
        await until(lambda: journal.effects(f"{tag}-{era}") == 1)
        calling.cancel()
        await asyncio.wait([calling])

        async def is_cancelled() -> bool:
            return (await newest(edge))["status"] == "CANCELLED"

        await until(is_cancelled)


async def test_pages_go_on_after_a_name(suite: Suite, edge: Edge):
    async with client(suite, "2026-07-28") as mcp:
        names: list[str] = []
        cursor: str | None = None
        while True:
            page = await mcp.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        with pytest.raises(MCPError) as caught:
            await mcp.list_tools(cursor="none of ours")

    assert names == sorted(set(names))
    assert caught.value.code == -32602


async def test_a_tool_that_is_switched_off_is_neither_listed_nor_called(suite: Suite, edge: Edge):
    await edge.call("PUT", "/tools/effects/big", {"enabled": False})
    try:
        async with client(suite, "2026-07-28") as mcp:
            listed = [tool.name for tool in (await mcp.list_tools()).tools]
            with pytest.raises(MCPError):
                await mcp.call_tool("effects__big", {"n": 1})
    finally:
        await edge.call("PUT", "/tools/effects/big", {"enabled": True})

    assert "effects__big" not in listed


async def test_what_policy_denies_is_not_listed_and_says_so_when_it_is_called(
    suite: Suite, edge: Edge
):
    await edge.call("PUT", "/policies/tenant", {"deny": ["effects/big"]})
    try:
        async with client(suite, "2026-07-28") as mcp:
            listed = [tool.name for tool in (await mcp.list_tools()).tools]
            called = await mcp.call_tool("effects__big", {"n": 1})
    finally:
        await edge.call("PUT", "/policies/tenant", {})

    assert "effects__big" not in listed
    assert "effects__echo" in listed
    assert called.is_error
    assert "policy denies 'effects/big'" in texts(called)[0]


async def test_strangers_hear_where_to_show_what(suite: Suite):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with httpx.AsyncClient(base_url=suite.url) as http:
        without = await http.post("/mcp", json=body)
        wrong = await http.post("/mcp", json=body, headers={"authorization": "Bearer tpk_no"})
        got = await http.get("/mcp", headers={"authorization": f"Bearer {suite.key}"})
        elsewhere = await http.post(
            "/mcp",
            json=body,
            headers={"authorization": f"Bearer {suite.key}", "origin": "http://evil.example"},
        )

    assert (without.status_code, wrong.status_code) == (401, 401)
    assert without.headers["www-authenticate"].startswith("Bearer")
    assert wrong.headers["www-authenticate"].startswith("Bearer")
    assert got.status_code == 405
    assert elsewhere.status_code == 403


async def test_another_tenant_sees_and_calls_nothing_of_ours(
    suite: Suite, stranger: Edge, agent: MakeAgent
):
    name = await agent("n=1")
    key = stranger.http.headers["authorization"].removeprefix("Bearer ")
    async with client(suite, "2026-07-28", key) as mcp:
        listed = [tool.name for tool in (await mcp.list_tools()).tools]
        for tool in (f"agent__{name}", "effects__echo"):
            with pytest.raises(MCPError):
                await mcp.call_tool(tool, {"input": "hi"})

    assert not [each for each in listed if each.startswith("effects__") or name in each]
