"""What the catalogue and the credentials promise, at the sizes that were promised."""

import asyncio
import base64
import os
from uuid import uuid4

import asyncpg
import psutil
import pytest

from tests.conftest import Keys, Schemas, new_database
from tests.doubles.scripted_mcp import ScriptedServer, said, tool
from tests.ports import free_port
from tests.tool_registry.serving import SECRET_KEY, Tenant, serving, settings_for, text_of
from tests.waiting import until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.migration import MigrationUrls

MIB = 1024 * 1024


async def test_t1_two_hundred_tools_are_listed_by_a_new_process_without_a_request(
    tenant: Tenant, server: ScriptedServer, place: str, urls: MigrationUrls, keys: Keys
):
    server.tools = [tool(f"t{number:03}") for number in range(200)]
    await tenant.connect(url=place)
    before = await tenant.list_tools()
    asked = len(server.seen)

    async with serving(settings_for(urls, keys), keys) as fresh:
        after = await tenant.on(fresh).list_tools()

    assert len(after.tools) == 200
    assert after == before
    assert len(server.seen) == asked


async def test_t5_of_three_servers_one_is_away_and_comes_back_by_itself(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    port = free_port()
    await tenant.connect("a", url=place)
    await tenant.connect("b", url=f"http://127.0.0.1:{port}/mcp")
    await tenant.connect("c", url=place)

    assert list(await tenant.tools()) == ["a/one", "c/one"]
    away = await tenant.connector("b")
    assert away.state == tool_pb2.CONNECTOR_STATE_DEGRADED
    assert away.fault == tool_pb2.FAULT_CONNECTION_REFUSED
    query = "SELECT extract(epoch FROM refresh_at - now()) FROM connectors"
    pause = await superuser.fetchval(f"{query} WHERE tenant = $1 AND name = 'b'", tenant.id)
    assert 10 < pause <= 36

    async with server.listening(port):
        # Half a minute later, as far as the row can tell.
        await superuser.execute(
            "UPDATE connectors SET refresh_at = now() WHERE tenant = $1 AND name = 'b'", tenant.id
        )
        # Nobody lists anything meanwhile: the sweep alone brings it back.
        await until(lambda: _is_ok(tenant, "b"))

    assert list(await tenant.tools()) == ["a/one", "b/one", "c/one"]


async def _is_ok(tenant: Tenant, name: str) -> bool:
    return (await tenant.connector(name)).state == tool_pb2.CONNECTOR_STATE_OK


@pytest.mark.parametrize(
    ("page_size", "warning", "fault"),
    [
        (400, tool_pb2.WARNING_TOO_MANY_BYTES, tool_pb2.FAULT_UNSPECIFIED),
        (0, None, tool_pb2.FAULT_TOO_LARGE),
    ],
    ids=["in pages", "in one message"],
)
async def test_t6_fifty_megabytes_of_definitions_are_not_held(
    tenant: Tenant,
    server: ScriptedServer,
    place: str,
    page_size: int,
    warning: tool_pb2.Warning | None,
    fault: tool_pb2.Fault,
):
    schema = {"type": "object", "properties": {"x": {"description": "y" * 9000}}}
    server.tools = [tool(f"t{number}", inputSchema=schema) for number in range(6000)]
    server.page_size = page_size
    before = psutil.Process().memory_info().rss

    await tenant.connect(url=place)
    listed = await tenant.list_tools("effects/t1*")

    # The server is in this process too, and writes its pages out.
    assert psutil.Process().memory_info().rss - before < (100 if page_size else 250) * MIB
    connector = await tenant.connector()
    assert list(connector.warnings) == ([] if warning is None else [warning])
    assert connector.fault == fault
    assert bool(listed.tools) is (warning is not None)


async def test_t8_a_call_that_a_lost_session_refused_is_sent_once_more(
    tenant: Tenant, server: ScriptedServer, place: str
):
    ran: list[str] = []

    async def once(called: object) -> dict[str, object]:
        ran.append("ran")
        return said("done")

    server.sessions, server.answer = True, once
    await tenant.connect(url=place)
    request = await tenant.ask("effects/one")
    await tenant.run(request)
    server.open_sessions.clear()
    request.step = 2

    assert text_of(await tenant.run(request)) == "done"
    assert ran == ["ran", "ran"]
    assert server.count("refused") == 1


@pytest.fixture
async def own_urls(postgres: LocalPostgres) -> MigrationUrls:
    """The ways into a database in which no other replica seals or opens anything."""
    return await Schemas(await new_database(postgres.url)).of("tool_registry")


async def test_t10_keys_are_replaced_without_a_stop_and_what_was_approved_stays(
    own_urls: MigrationUrls, keys: Keys, server: ScriptedServer, place: str
):
    """Three deploys: the new key opens too, it seals and all is written again, the old one goes."""
    new = base64.b64encode(os.urandom(32)).decode()
    old = {"k1": SECRET_KEY}
    server.token = "hunter2-hunter2"
    headers = {"authorization": f"Bearer {server.token}"}
    digests: list[dict[str, tuple[str, str]]] = []
    tenant = str(uuid4())

    for number, sealing in enumerate((old, old | {"k2": new}, {"k2": new} | old, {"k2": new})):
        settings = settings_for(own_urls, keys, secret_keys=sealing)
        async with serving(settings, keys) as deployed:
            there = Tenant(deployed, tenant)
            if number in (0, 2):
                await there.connect(url=place, headers=headers | {"x-deploy": f"hunter-{number}"})
            shown = (await there.list_tools()).tools
            digests.append({each.name: (each.digest, each.state) for each in shown})
            assert text_of(await there.run(await there.ask("effects/one"))) == "one"

    assert digests == [digests[0]] * 4
    assert {state for _, state in digests[0].values()} == {"OK"}
    superuser = await asyncpg.connect(
        own_urls.migration, server_settings={"search_path": "tool_registry"}
    )
    for table in ("connectors", "credentials", "tools", "tool_pins", "calls"):
        rows = await superuser.fetch(f"SELECT t::text AS row FROM {table} t")
        assert all("hunter" not in record["row"] for record in rows), table
    await superuser.close()


async def test_t12_tools_of_one_name_are_both_called_under_names_that_stay(
    tenant: Tenant, server: ScriptedServer, place: str, urls: MigrationUrls, keys: Keys
):
    other = ScriptedServer([tool("search"), tool("later")])

    async def says(called: object) -> dict[str, object]:
        return said("other")

    other.answer = says
    server.tools = [tool("search")]
    async with other.listening() as elsewhere:
        await tenant.connect("wiki", url=elsewhere)
        await tenant.connect("code", url=place)
        before = await tenant.list_tools()
        other.tools.reverse()
        refresh = pb.RefreshConnectorRequest(name="wiki")
        stub = tenant.registry.connectors
        await stub.RefreshConnector(refresh, metadata=tenant.as_principal())

        async with serving(settings_for(urls, keys), keys) as fresh:
            there = tenant.on(fresh)
            said_by = await asyncio.gather(
                *[there.run(await there.ask(name)) for name in ("code/search", "wiki/search")]
            )
            # Whatever order its server shows them in: bytes and digest are the same.
            assert await there.list_tools() == before

    assert [text_of(call) for call in said_by] == ["search", "other"]
