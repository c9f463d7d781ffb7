"""The catalogue: known without asking, kept when a server fails, never older than an edit."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import Keys
from tests.doubles.effects_journal import Journal
from tests.doubles.effects_protocol import Era, Protocol
from tests.doubles.effects_server import EffectsServer
from tests.doubles.http1 import Connection, Request, serving
from tests.doubles.scripted_mcp import ScriptedServer
from tests.tool_registry.serving import Registry, Tenant, settings_for
from tests.tool_registry.serving import serving as serving_registry
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls
from turnpike.tool_registry import metrics

NAMES = [
    "effects/big",
    "effects/die",
    "effects/echo",
    "effects/fail",
    "effects/hang",
    "effects/keyed",
    "effects/peek",
    "effects/retry_safe",
    "effects/steps",
    "effects/transfer",
]


@asynccontextmanager
async def showing(*pages: list[dict[str, Any]]) -> AsyncGenerator[str]:
    """Serves MCP whose tools come in these pages."""

    async def respond(connection: Connection, request: Request) -> None:
        message = request.json() if request.method == "POST" else {}
        if message.get("id") is None:
            connection.reply(202)
            return
        result: dict[str, Any] = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "pages", "version": "1"},
        }
        if message["method"] == "server/discover":
            error = {"code": -32601, "message": "what?"}
            connection.reply(200, {"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
        if message["method"] == "tools/list":
            number = int((message.get("params") or {}).get("cursor", 0))
            result = {"tools": pages[number]}
            if number + 1 < len(pages):
                result["nextCursor"] = str(number + 1)
        connection.reply(200, {"jsonrpc": "2.0", "id": message["id"], "result": result})

    async with serving(respond) as port:
        yield f"http://127.0.0.1:{port}/mcp"


def tool(name: str, **others: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **others}


async def test_a_first_listing_waits_for_the_server(tenant: Tenant, url: str):
    await tenant.connect(url=url)

    listed = await tenant.list_tools()

    assert [tool.name for tool in listed.tools] == NAMES
    peek = listed.tools[6]
    assert peek.description == "Counts the transfers of a tag."
    assert json.loads(peek.input_schema)["required"] == ["tag"]
    assert json.loads(peek.annotations) == {"readOnlyHint": True}
    assert peek.digest.startswith("sha256:")
    assert peek.state == "OK"


@pytest.mark.parametrize(
    ("era", "sessions"), [("stateless", False), ("handshake", False), ("handshake", True)]
)
async def test_servers_of_every_era_are_understood(
    tenant: Tenant, tmp_path: Path, era: Era, sessions: bool
):
    server = EffectsServer(Protocol(Journal(tmp_path / "journal"), era), sessions=sessions)
    async with server.listening() as url:
        await tenant.connect(url=url)
        call = await tenant.run(await tenant.ask("effects/echo", x=1))

    assert json.loads(call.structured) == {"x": 1}


async def test_t1_a_known_connector_is_listed_without_its_server(
    tenant: Tenant, effects: EffectsServer, urls: MigrationUrls, keys: Keys
):
    async with effects.listening() as url:
        await tenant.connect(url=url)
        before = await tenant.list_tools()

    async with serving_registry(settings_for(urls, keys), keys) as fresh:
        after = await tenant.on(fresh).list_tools()

    assert after == before
    assert effects.journal.counts()["tools/list"] == 1


async def test_patterns_choose_tools(tenant: Tenant, url: str):
    await tenant.connect(url=url)
    await tenant.connect("other", url=url)

    async def names(*patterns: str) -> list[str]:
        return [tool.name for tool in (await tenant.list_tools(*patterns)).tools]

    assert await names("effects/*") == NAMES
    assert await names("*/peek", "other/e*o") == ["effects/peek", "other/echo", "other/peek"]
    assert len(await names("*/*")) == 20
    assert await names("nobody/*") == []


async def test_many_listings_make_one_discovery(
    tenant: Tenant, other: Registry, url: str, effects: EffectsServer
):
    await tenant.connect(url=url)

    await asyncio.gather(
        *(each.list_tools() for _ in range(20) for each in (tenant, tenant.on(other)))
    )

    assert effects.journal.counts()["tools/list"] == 1


async def test_an_edit_evicts_at_once(tenant: Tenant, other: Registry, url: str):
    async with showing([tool("old")]) as before, showing([tool("new")]) as after:
        await tenant.connect(url=before)
        assert list(await tenant.tools()) == ["effects/old"]
        await tenant.on(other).list_tools()
        await tenant.connect(url=after)

        assert list(await tenant.on(other).tools()) == ["effects/new"]
        assert list(await tenant.tools()) == ["effects/new"]


async def test_t6_pages_are_followed(tenant: Tenant):
    pages = [[tool(f"t{page}{n}") for n in range(3)] for page in range(3)]
    async with showing(*pages) as url:
        await tenant.connect(url=url)

        assert len(await tenant.tools()) == 9


async def test_a_list_that_is_too_long_is_cut_and_says_so(tenant: Tenant):
    async with showing([tool(f"t{n}") for n in range(1500)]) as url:
        await tenant.connect(url=url)

        assert len(await tenant.tools()) == 1000
        connector = await tenant.connector()

    assert connector.state == tool_pb2.CONNECTOR_STATE_OK
    assert connector.state_reason == "the list was cut after 1000 tools"


async def test_a_tool_that_lies_about_its_schema_spoils_no_other(
    tenant: Tenant, url: str, effects: EffectsServer
):
    effects.protocol.lie = "schema"
    await tenant.connect(url=url)

    listed = await tenant.tools()
    call = await tenant.run(await tenant.ask("effects/liar"))

    assert listed["effects/liar"].state == "INVALID"
    assert {tool.state for name, tool in listed.items() if name != "effects/liar"} == {"OK"}
    assert call.status == tool_pb2.CALL_STATUS_FAILED
    assert "tools/call" not in effects.journal.counts()


async def test_tools_that_cannot_be_kept_are_left_out(tenant: Tenant):
    shown = [
        tool("good"),
        tool("good", description="twice"),
        tool("x" * 201),
        tool("big", description="x" * 300_000),
        {"inputSchema": {}},
        tool("loop", inputSchema={"$ref": "http://127.0.0.1/schema"}),
    ]
    async with showing(shown, ["no tool"]) as url:  # pyright: ignore[reportArgumentType]
        await tenant.connect(url=url)

        assert list(await tenant.tools()) == ["effects/good", "effects/loop"]
        assert (await tenant.connector()).state_reason == "5 tools were left out"


async def test_a_server_that_is_away_is_said_to_be(tenant: Tenant, url: str):
    await tenant.connect("effects", url=url)
    await tenant.connect("gone", url="http://127.0.0.1:1/mcp")

    assert len(await tenant.tools()) == 10
    gone = await tenant.connector("gone")

    assert gone.state == tool_pb2.CONNECTOR_STATE_DEGRADED
    assert "connect" in gone.state_reason


async def test_t5_the_last_good_list_stands_when_a_server_fails(
    tenant: Tenant, effects: EffectsServer, superuser: asyncpg.Connection
):
    async with effects.listening() as url:
        await tenant.connect(url=url)
        before = await tenant.list_tools()
    await superuser.execute("UPDATE connectors SET refresh_at = now() WHERE tenant = $1", tenant.id)

    assert await tenant.list_tools() == before
    await until(lambda: _is_degraded(tenant))
    assert await tenant.list_tools() == before
    pause = await superuser.fetchval(
        "SELECT extract(epoch FROM refresh_at - now()) FROM connectors WHERE tenant = $1", tenant.id
    )
    assert 20 < pause <= 36


async def test_t2_an_old_list_is_shown_and_refreshed_meanwhile(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    await tenant.connect(url=place)
    before = await tenant.list_tools()
    # Whoever comes first may have it read: this listing, or a sweep.
    server.held = asyncio.Event()
    server.tools.append(tool("two"))
    await superuser.execute("UPDATE connectors SET refresh_at = now() WHERE tenant = $1", tenant.id)

    assert await tenant.list_tools() == before
    server.held.set()
    await until(lambda: _lists(tenant, "effects/two"))


async def test_t3_a_corrupt_row_heals_itself(
    tenant: Tenant, url: str, superuser: asyncpg.Connection, urls: MigrationUrls, keys: Keys
):
    await tenant.connect(url=url)
    before = await tenant.list_tools()
    query = "SELECT definition FROM tools WHERE tenant = $1 AND name = 'echo'"
    definition = await superuser.fetchval(query, tenant.id)
    await superuser.execute(
        "UPDATE tools SET definition = '{' WHERE tenant = $1 AND name = 'echo'", tenant.id
    )
    healed = healed_rows()

    async with serving_registry(settings_for(urls, keys), keys) as fresh:
        assert await tenant.on(fresh).list_tools() == before

    assert await superuser.fetchval(query, tenant.id) == definition
    assert healed_rows() == healed + 1


async def test_t3_a_row_that_nobody_can_heal_hides_no_others(
    tenant: Tenant, url: str, superuser: asyncpg.Connection, urls: MigrationUrls, keys: Keys
):
    for name in ("effects", "others"):
        await tenant.connect(name, url=url)
    before = await tenant.tools()
    # Its server does not answer any more.
    await superuser.execute(
        "UPDATE connectors SET url = 'http://127.0.0.1:1/mcp'"
        " WHERE tenant = $1 AND name = 'effects'",
        tenant.id,
    )
    await superuser.execute(
        "UPDATE tools SET definition = '{' WHERE tenant = $1 AND connector = 'effects'"
        " AND name = 'echo'",
        tenant.id,
    )

    async with serving_registry(settings_for(urls, keys), keys) as fresh:
        shown = [await tenant.on(fresh).tools() for _ in "ab"]

    assert [set(before) - set(each) for each in shown] == [{"effects/echo"}] * 2
    assert all(each.keys() <= before.keys() for each in shown)


def healed_rows() -> float:
    (samples,) = metrics.HEALED.collect()
    return samples.samples[0].value


async def _is_degraded(tenant: Tenant) -> bool:
    return (await tenant.connector()).state == tool_pb2.CONNECTOR_STATE_DEGRADED


async def _lists(tenant: Tenant, name: str) -> bool:
    return name in await tenant.tools()
