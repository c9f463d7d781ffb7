"""How lists stay fresh: by the server's word and time, one discovery for all who ask."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.conftest import Keys
from tests.doubles.scripted_mcp import HANDSHAKE, STATELESS, RpcError, ScriptedServer, tool
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for
from tests.waiting import until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import tenant_transaction
from turnpike.tool_registry import refreshes
from turnpike.tool_registry.discovery import Discoveries


async def refresh(tenant: Tenant, name: str = "effects") -> tool_pb2.Connector:
    request = pb.RefreshConnectorRequest(name=name)
    stub = tenant.registry.connectors
    return (await stub.RefreshConnector(request, metadata=tenant.as_principal())).connector


async def _until_heard(server: ScriptedServer) -> None:
    """Returns when somebody listens: the list is read once more then.

    A session's stream may be that of the discovery, and of another replica.
    """
    await until(lambda: server.listeners >= 1 and server.count("tools/list") >= 2)


async def row(superuser: asyncpg.Connection, tenant: Tenant, name: str = "effects") -> Any:
    return await superuser.fetchrow(
        "SELECT *, extract(epoch FROM refresh_at - now())::float AS due, discovered_at"
        " FROM connectors WHERE tenant = $1 AND name = $2",
        tenant.id,
        name,
    )


@pytest.mark.parametrize(
    ("ttl_ms", "least", "most"),
    [(None, 780, 1000), (0, 20, 34), (120_000, 100, 133), (10**12, 77_000, 96_000)],
    ids=["none", "zero", "two minutes", "years"],
)
async def test_a_list_is_fresh_as_long_as_its_server_says(
    tenant: Tenant,
    server: ScriptedServer,
    place: str,
    superuser: asyncpg.Connection,
    ttl_ms: int | None,
    least: int,
    most: int,
):
    server.ttl_ms = ttl_ms
    await tenant.connect(url=place)
    await tenant.tools()

    assert least < (await row(superuser, tenant))["due"] <= most


@pytest.mark.parametrize(
    ("era", "sessions"), [(STATELESS, False), (HANDSHAKE, True)], ids=["stateless", "sessions"]
)
async def test_t2_what_a_server_says_has_changed_is_seen(
    tenant: Tenant, other: Registry, server: ScriptedServer, place: str, era: str, sessions: bool
):
    server.era, server.sessions, server.tells = era, sessions, True
    await tenant.connect(url=place)
    await tenant.tools()
    await _until_heard(server)
    server.tools.append(tool("two"))

    server.tell()

    await until(lambda: _has(tenant.on(other), "effects/two"))


@pytest.mark.parametrize(
    ("era", "sessions"), [(STATELESS, False), (HANDSHAKE, True)], ids=["stateless", "sessions"]
)
async def test_what_changed_before_anybody_listened_is_seen(
    tenant: Tenant, server: ScriptedServer, place: str, era: str, sessions: bool
):
    server.era, server.sessions, server.tells = era, sessions, True
    server.unheard = asyncio.Event()
    await tenant.connect(url=place)
    await tenant.tools()

    # Nobody is told.
    server.tools.append(tool("two"))
    server.unheard.set()

    await until(lambda: _has(tenant, "effects/two"))


@pytest.mark.parametrize(
    ("era", "sessions"), [(STATELESS, False), (HANDSHAKE, True)], ids=["stateless", "sessions"]
)
async def test_a_server_that_starts_anew_is_listened_to_again(
    tenant: Tenant, server: ScriptedServer, place: str, era: str, sessions: bool
):
    server.era, server.sessions, server.tells = era, sessions, True
    await tenant.connect(url=place)
    await tenant.tools()
    await _until_heard(server)

    server.tools.append(tool("two"))
    server.forget()

    await until(lambda: _has(tenant, "effects/two"))
    server.tools.append(tool("three"))
    await until(lambda: server.listeners >= 1)
    server.tell()
    await until(lambda: _has(tenant, "effects/three"))


async def test_the_sse_transports_stream_tells_too(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.tells = True
    sse = place.replace("/mcp", "/sse")
    await tenant.connect(url=sse, transport=tool_pb2.TRANSPORT_SSE)
    await tenant.tools()
    await until(lambda: server.listeners >= 1)
    server.tools.append(tool("two"))

    server.tell()

    await until(lambda: _has(tenant, "effects/two"))
    assert (await tenant.run(await tenant.ask("effects/one"))).reason == ""


async def test_who_listened_and_is_gone_is_followed_by_another(
    urls: MigrationUrls,
    keys: Keys,
    other: Registry,
    server: ScriptedServer,
    place: str,
    superuser: asyncpg.Connection,
):
    server.era, server.tells = STATELESS, True
    tenant = other.new_tenant()
    await tenant.connect(url=place)
    await tenant.tools()
    await until(lambda: server.listeners == 1)
    name = f"listening-{tenant.id}"
    async with serving(settings_for(urls, keys, replica_name=name), keys):
        # It is this one's now, whoever was first.
        await superuser.execute(
            "UPDATE connectors SET listener = (SELECT id FROM replicas WHERE name = $2)"
            " WHERE tenant = $1",
            tenant.id,
            name,
        )
        await until(lambda: server.count("subscriptions/listen") >= 2)
        heard = server.count("subscriptions/listen")
    await until(lambda: server.count("subscriptions/listen") > heard, seconds=30)
    await until(lambda: server.listeners == 1)
    server.tools.append(tool("two"))

    server.tell()

    await until(lambda: _has(tenant, "effects/two"))


async def test_what_a_replica_was_reading_as_it_ended_is_read_by_another(
    urls: MigrationUrls, keys: Keys, other: Registry, server: ScriptedServer, place: str
):
    tenant = other.new_tenant()
    await tenant.connect(url=place)
    await tenant.tools()
    before, server.held = server.count("tools/list"), asyncio.Event()
    server.tools.append(tool("two"))
    async with serving(settings_for(urls, keys), keys) as mortal:
        refreshing = asyncio.create_task(refresh(tenant.on(mortal)))
        await until(lambda: server.count("tools/list") > before)
    refreshing.cancel()
    server.held.set()

    await until(lambda: _has(tenant, "effects/two"))


async def test_a_change_that_is_told_while_the_list_is_read_is_not_lost(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.era, server.tells = STATELESS, True
    await tenant.connect(url=place)
    await tenant.tools()
    await until(lambda: server.listeners == 1)
    before, server.held = server.count("tools/list"), asyncio.Event()
    refreshing = asyncio.create_task(refresh(tenant))
    await until(lambda: server.count("tools/list") == before + 1)

    server.tell()
    server.held.set()
    await refreshing

    # Read once more, since what was told came after the reading had begun.
    await until(lambda: server.count("tools/list") >= before + 2)


async def test_a_change_that_is_told_while_the_one_before_is_noted_is_not_lost(
    tenant: Tenant,
    other: Registry,
    server: ScriptedServer,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
):
    replicas, committed, heard = list[Discoveries](), asyncio.Event(), asyncio.Event()
    start = Discoveries.start

    def starting(self: Discoveries, *args: Any, **options: Any) -> Any:
        replicas.append(self)
        return start(self, *args, **options)

    @asynccontextmanager
    async def held(engine: AsyncEngine, tenant: UUID) -> AsyncGenerator[AsyncConnection]:
        async with tenant_transaction(engine, tenant) as connection:
            yield connection
        if getattr(asyncio.current_task(), "get_name", str)() == "changed":
            committed.set()
            await heard.wait()

    await tenant.connect(url=place)
    await tenant.tools()
    monkeypatch.setattr(Discoveries, "start", starting)
    await refresh(tenant)
    key = UUID(tenant.id), "effects"
    monkeypatch.setattr("turnpike.tool_registry.discovery.tenant_transaction", held)
    replicas[0].note_change(*key)
    await committed.wait()
    # Whoever reads the list now reads it for that change, and before the next one.
    await refresh(tenant.on(other))
    server.tools.append(tool("two"))

    replicas[0].note_change(*key)
    heard.set()

    await until(lambda: _has(tenant, "effects/two"))


async def test_t4_fifty_who_refresh_at_once_make_one_discovery_of_one_connector(
    tenant: Tenant,
    other: Registry,
    server: ScriptedServer,
    place: str,
    superuser: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
):
    joined, waiting = set[Any](), set[Any]()
    start, is_claimed = Discoveries.start, refreshes.is_claimed

    def starting(*args: Any, **options: Any) -> Any:
        if options.get("anyway"):
            joined.add(asyncio.current_task())
        return start(*args, **options)

    async def asking(*args: Any) -> bool:
        waiting.add(asyncio.current_task())
        return await is_claimed(*args)

    await tenant.connect(url=place)
    await tenant.connect("neighbour", url=place)
    await tenant.tools()
    monkeypatch.setattr(Discoveries, "start", starting)
    monkeypatch.setattr(refreshes, "is_claimed", asking)
    neighbour = await row(superuser, tenant, "neighbour")
    before, server.held = server.count("tools/list"), asyncio.Event()

    burst = [
        asyncio.create_task(refresh(each)) for _ in range(25) for each in (tenant, tenant.on(other))
    ]
    await until(lambda: server.count("tools/list") > before)
    # All are there: half wait for their replica's discovery, half for the other replica's.
    await until(lambda: len(joined) == 50 and len(waiting) == 25)
    server.tools.append(tool("two"))
    server.held.set()
    await asyncio.gather(*burst)

    after = await row(superuser, tenant, "neighbour")
    assert server.count("tools/list") == before + 1
    assert await _has(tenant.on(other), "effects/two")
    for column in ("generation", "revision", "discovered_at"):
        assert after[column] == neighbour[column]


async def test_who_refreshes_as_a_discovery_ends_has_the_list_read_again(
    tenant: Tenant, server: ScriptedServer, place: str, monkeypatch: pytest.MonkeyPatch
):
    """The discovery has read and stored the list, and looks whether anything is left to do."""
    ending, joined, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    start, claim = Discoveries.start, refreshes.claim

    def starting(*args: Any, **options: Any) -> Any:
        task = start(*args, **options)
        if options.get("anyway"):
            joined.set()
        return task

    async def claiming(*args: Any, **options: Any) -> Any:
        claimed = await claim(*args, **options)
        if claimed is None and not ending.is_set():
            ending.set()
            await may_end.wait()
        return claimed

    monkeypatch.setattr(Discoveries, "start", starting)
    monkeypatch.setattr(refreshes, "claim", claiming)
    await tenant.connect(url=place)
    await tenant.tools()
    await until(ending.is_set)
    server.tools.append(tool("two"))

    refreshing = asyncio.create_task(refresh(tenant))
    await until(joined.is_set)
    may_end.set()
    await refreshing

    assert await _has(tenant, "effects/two")


async def test_a_tool_that_the_server_does_not_know_has_its_list_read_again(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    async def unknown(called: Any) -> Any:
        raise RpcError(-32602, f"unknown tool {called.name}")

    server.answer = unknown
    await tenant.connect(url=place)
    request = await tenant.ask("effects/one")
    await superuser.execute(
        "UPDATE connectors SET discovered_at = now() - interval '5 s' WHERE tenant = $1", tenant.id
    )
    server.tools[:] = [tool("other")]

    call = await tenant.run(request)

    assert call.status == tool_pb2.CALL_STATUS_FAILED
    await until(lambda: _has(tenant, "effects/other"))


async def test_a_list_right_after_an_edit_never_shows_the_old_generation(
    tenant: Tenant, other: Registry, server: ScriptedServer, place: str
):
    """The discovery of the old generation is under way when the edit comes."""
    await tenant.connect(url=place)
    await tenant.tools()
    before, server.held = server.count("tools/list"), asyncio.Event()
    refreshing = asyncio.create_task(refresh(tenant))
    await until(lambda: server.count("tools/list") > before)
    elsewhere = ScriptedServer([tool("new")])
    async with elsewhere.listening() as url:
        await tenant.connect(url=url)
        listing = asyncio.create_task(tenant.on(other).tools())
        server.held.set()
        await refreshing

        assert list(await listing) == list(await tenant.tools()) == ["effects/new"]


async def test_a_deleted_connector_is_asked_nothing_more(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    await tenant.tools()
    before = len(server.seen)
    request = pb.DeleteConnectorRequest(name="effects")

    await tenant.registry.connectors.DeleteConnector(request, metadata=tenant.as_principal())

    assert await tenant.tools() == {}
    assert len(server.seen) == before


async def test_t6_a_server_of_many_pages_is_cut_and_says_so_in_a_word(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.tools, server.page_size = [tool(f"t{number}") for number in range(60)], 1
    await tenant.connect(url=place)

    assert len(await tenant.tools()) == 50
    connector = await tenant.connector()
    assert list(connector.warnings) == [tool_pb2.WARNING_TOO_MANY_PAGES]
    assert connector.state_reason == "the list was cut after 50 pages"


async def test_t6_ten_thousand_tools_are_cut(tenant: Tenant, server: ScriptedServer, place: str):
    server.tools = [tool(f"t{number}") for number in range(10_000)]
    await tenant.connect(url=place)

    assert len(await tenant.tools()) == 1000
    assert list((await tenant.connector()).warnings) == [tool_pb2.WARNING_TOO_MANY_TOOLS]


async def test_definitions_that_are_too_large_together_are_cut(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.tools = [tool(f"t{number:02}", "x " * 100_000) for number in range(40)]
    await tenant.connect(url=place)

    assert len((await tenant.list_tools("effects/t0*")).tools) == 10
    assert list((await tenant.list_tools("effects/t3*")).tools) == []
    assert list((await tenant.connector()).warnings) == [tool_pb2.WARNING_TOO_MANY_BYTES]


async def _has(tenant: Tenant, name: str) -> bool:
    return name in await tenant.tools()
