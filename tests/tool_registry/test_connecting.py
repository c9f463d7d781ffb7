"""Connectors as people set them up: tried out, owned, switched, named; and kept inside bounds."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import httpcore2
import psutil
import pytest

from tests.conftest import Keys
from tests.doubles.http1 import Connection, Request
from tests.doubles.http1 import serving as serving_http
from tests.doubles.scripted_mcp import ScriptedServer, tool
from tests.ports import free_port
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls

HTTP = tool_pb2.TRANSPORT_HTTP


@pytest.fixture
def server() -> ScriptedServer:
    """A server of two tools."""
    return ScriptedServer([tool("one", "Says one."), tool("two", "Says two.")])


async def probe(tenant: Tenant, **fields: Any) -> tool_pb2.Probe:
    fields.setdefault("transport", HTTP)
    connector = tool_pb2.Connector(name="tried", **fields)
    request = pb.ProbeConnectorRequest(connector=connector)
    stub = tenant.registry.connectors
    return (await stub.ProbeConnector(request, metadata=tenant.as_principal())).probe


@contextlib.asynccontextmanager
async def answering(status: int, content: object = None) -> AsyncGenerator[str]:
    """Serves the same answer to whoever asks whatever."""

    async def respond(connection: Connection, request: Request) -> None:
        connection.reply(status, content)

    async with serving_http(respond) as port:
        yield f"http://127.0.0.1:{port}/mcp"


async def test_a_probe_says_what_it_found_and_stores_nothing(tenant: Tenant, place: str):
    found = await probe(tenant, url=place)

    assert (found.fault, found.tools) == (tool_pb2.FAULT_UNSPECIFIED, 2)
    assert (found.protocol_version, found.server_name) == ("2025-11-25", "s")
    assert await tenant.tools() == {}


async def test_a_probe_says_in_a_word_what_is_wrong(tenant: Tenant):
    async with (
        answering(200, "<html>") as page,
        answering(401) as locked,
        answering(403) as barred,
        answering(500) as broken,
        answering(404) as missing,
    ):
        faults = {
            "a web page": (await probe(tenant, url=page)).fault,
            "no key": (await probe(tenant, url=locked)).fault,
            "the wrong key": (await probe(tenant, url=barred)).fault,
            "broken": (await probe(tenant, url=broken)).fault,
            "no such path": (await probe(tenant, url=missing)).fault,
            "plain HTTP": (await probe(tenant, url=page.replace("http:", "https:"))).fault,
            "nobody": (await probe(tenant, url=f"http://127.0.0.1:{free_port()}/")).fault,
            "no name": (await probe(tenant, url="http://nowhere.invalid/mcp")).fault,
        }

    assert faults == {
        "a web page": tool_pb2.FAULT_NOT_MCP,
        "no key": tool_pb2.FAULT_AUTH_NEEDED,
        "the wrong key": tool_pb2.FAULT_FORBIDDEN,
        "broken": tool_pb2.FAULT_HTTP_STATUS,
        "no such path": tool_pb2.FAULT_HTTP_STATUS,
        "plain HTTP": tool_pb2.FAULT_TLS,
        "nobody": tool_pb2.FAULT_CONNECTION_REFUSED,
        "no name": tool_pb2.FAULT_DNS,
    }


async def test_a_connector_is_created_with_a_probe_although_its_server_is_away(tenant: Tenant):
    connector = tool_pb2.Connector(
        name="away", transport=HTTP, url=f"http://127.0.0.1:{free_port()}/mcp"
    )
    request = pb.CreateConnectorRequest(connector=connector, probe=True)

    made = await tenant.registry.connectors.CreateConnector(request, metadata=tenant.as_principal())

    assert made.probe.fault == tool_pb2.FAULT_CONNECTION_REFUSED
    await until(lambda: _is_degraded(tenant))
    assert (await tenant.connector("away")).fault == tool_pb2.FAULT_CONNECTION_REFUSED


async def test_a_connector_that_is_switched_off_is_not_listed_and_does_not_run(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/one")
    await tenant.run(request)
    request.ordinal = 1

    off = await tenant.connect(url=place, disabled=True)
    assert off.state == tool_pb2.CONNECTOR_STATE_DISABLED
    assert await tenant.tools() == {}
    assert (await tenant.run(request)).reason == "TOOL_DISABLED"

    await tenant.connect(url=place)
    request.ordinal = 2
    assert len(await tenant.tools()) == 2
    assert (await tenant.run(request)).reason == ""
    # Nobody asked the server for its list again to answer these.
    assert server.count("tools/call") == 2


async def test_a_tool_is_switched_off_and_named(tenant: Tenant, place: str):
    await tenant.connect(url=place)
    await tenant.connect("other", url=place)
    request = await tenant.ask("effects/one")
    await set_up(tenant, "effects/one", disabled=True)
    await set_up(tenant, "effects/two", alias="speak")

    tools = await tenant.tools()

    assert (tools["effects/one"].state, tools["other/one"].state) == ("DISABLED", "OK")
    assert tools["effects/two"].alias == "speak"
    assert (await tenant.run(request)).reason == "TOOL_DISABLED"
    taken = await refusal(set_up(tenant, "other/one", alias="speak"))
    assert (taken.reason, taken.metadata["kind"]) == ("CONFLICT", "alias")
    assert (await refusal(set_up(tenant, "other/three"))).reason == "NOT_FOUND"

    await set_up(tenant, "effects/one")
    request.ordinal = 1
    assert (await tenant.run(request)).reason == ""


async def test_a_persons_connector_is_that_persons(tenant: Tenant, place: str):
    stub = tenant.registry.connectors
    anna, ben = (tenant.as_principal("member", name) for name in ("anna", "ben"))
    mine = tool_pb2.Connector(name="mine", transport=HTTP, url=place, owner="anna")
    create = pb.CreateConnectorRequest(connector=mine)

    assert (await refusal(stub.CreateConnector(create, metadata=ben))).reason == "FORBIDDEN"
    await stub.CreateConnector(create, metadata=anna)
    get = pb.GetConnectorRequest(name="mine")
    assert (await refusal(stub.GetConnector(get, metadata=ben))).reason == "NOT_FOUND"
    seen = {
        name: [
            each.name for each in (await stub.ListTools(pb.ListToolsRequest(), metadata=who)).tools
        ]
        for name, who in (("anna", anna), ("ben", ben))
    }
    assert seen == {"anna": ["mine/one", "mine/two"], "ben": []}

    request = await tenant.ask("mine/one")
    listed = await stub.ListTools(pb.ListToolsRequest(), metadata=anna)
    request.definition_digest = listed.tools[0].digest
    for number, (person, reason) in enumerate((("ben", "TOOL_NOT_FOUND"), ("anna", ""))):
        request.ordinal, request.principal = number, person
        assert (await tenant.run(request)).reason == reason
    delete = pb.DeleteConnectorRequest(name="mine")
    assert (await refusal(stub.DeleteConnector(delete, metadata=ben))).reason == "FORBIDDEN"
    await stub.DeleteConnector(delete, metadata=anna)


async def test_t10_credentials_are_sealed_and_shown_to_nobody(
    tenant: Tenant, place: str, superuser: asyncpg.Connection
):
    await tenant.connect(url=place)
    stub = tenant.registry.connectors
    credential = tool_pb2.Credential(connector="effects", headers={"x-key": "hunter2-hunter2"})
    anna, ben = (tenant.as_principal("member", name) for name in ("anna", "ben"))

    stored = await stub.SetCredential(pb.SetCredentialRequest(credential=credential), metadata=anna)

    assert list(stored.credential.header_names) == ["x-key"]
    listing = pb.ListCredentialsRequest(connector="effects")
    shown = {
        "anna": (await stub.ListCredentials(listing, metadata=anna)).credentials,
        "ben": (await stub.ListCredentials(listing, metadata=ben)).credentials,
        "admin": (await stub.ListCredentials(listing, metadata=tenant.as_principal())).credentials,
    }
    assert {who: len(found) for who, found in shown.items()} == {"anna": 1, "ben": 0, "admin": 1}
    dump = await superuser.fetch("SELECT c::text AS row FROM credentials c")
    assert dump
    assert all("hunter2" not in record["row"] for record in dump)
    delete = pb.DeleteCredentialRequest(connector="effects", principal="anna")
    assert (await refusal(stub.DeleteCredential(delete, metadata=ben))).reason == "FORBIDDEN"
    await stub.DeleteCredential(pb.DeleteCredentialRequest(connector="effects"), metadata=anna)
    assert (await refusal(stub.DeleteCredential(delete, metadata=anna))).reason == "NOT_FOUND"


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "167772161",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "169.254.43518",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[ff02::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "①②⑦.⓪.⓪.①",
    "\uff11\uff12\uff17.0.0.1",
    "127。0。0。1",
    "127.0.0.1.",
    "017700000001",
    "0300.0250.0.1",
    "0177.0x0.1",
    "0xA9.0xFE.0xA9.0xFE",
    "8.8.8.8@127.0.0.1",
    "[fe80::1%25eth0]",
    "[::1%25lo]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b:1:a9fe:a9:fe00:808:808]",
    "[2606:4700::5efe:7f00:1]",
    "[2002:a9fe:a9fe::]",
    "[fec0::1]",
    "xn--127-0-0-1.localhost",
]


@pytest.fixture
async def guarded(urls: MigrationUrls, keys: Keys) -> AsyncGenerator[Registry]:
    """A replica that lets connectors be at public addresses only.

    It goes with the test: it would take calls of replicas that die in other tests.
    """
    async with serving(settings_for(urls, keys, egress_allow_private=False), keys) as replica:
        yield replica


async def test_t11_no_notation_of_a_private_address_is_connected_to(guarded: Registry):
    """Each is refused when it is written down, or when it is connected to."""
    tenant = guarded.new_tenant()
    reached: list[str] = []

    async def listen(connection: Connection, request: Request) -> None:
        reached.append(request.path)
        connection.reply(200)

    async with serving_http(listen) as port:
        for host in PRIVATE:
            try:
                found = await probe(tenant, url=f"http://{host}:{port}/{len(reached)}")
            except Exception as error:  # noqa: BLE001 # refused as it was written
                assert "INVALID_ARGUMENT" in str(error), host
            else:
                refused = (tool_pb2.FAULT_ADDRESS_REFUSED, tool_pb2.FAULT_DNS)
                assert found.fault in refused, (host, found)

    assert reached == []


async def test_t11_a_name_that_turns_private_after_it_was_looked_at_is_not_connected_to(
    guarded: Registry, monkeypatch: pytest.MonkeyPatch
):
    """The connection goes to the very address that was judged: nothing resolves twice."""
    tenant, asked, reached = guarded.new_tenant(), list[str](), list[str]()
    resolve = asyncio.get_running_loop().getaddrinfo
    backends: Any = httpcore2.AnyIOBackend
    connect_tcp = backends.connect_tcp

    async def rebinding(host: Any, port: Any, **others: Any) -> Any:
        if host != "rebind.example":
            return await resolve(host, port, **others)
        asked.append(host)
        address = "93.184.215.14" if len(asked) % 2 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def connect(backend: Any, host: str, port: int, *others: Any, **more: Any) -> Any:
        if port != 80:
            # Another replica's, to a connector that is there.
            return await connect_tcp(backend, host, port, *others, **more)
        reached.append(host)
        raise httpcore2.ConnectError("nobody is there")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding)
    monkeypatch.setattr(backends, "connect_tcp", connect)
    found = await probe(tenant, url="http://rebind.example/mcp")

    # Of every look-up the connection took what was judged, and of half of them none.
    assert found.fault != tool_pb2.FAULT_UNSPECIFIED
    assert (len(asked) >= 2, set(reached)) == (True, {"93.184.215.14"})
    assert len(reached) == (len(asked) + 1) // 2


async def test_redirects_lead_nowhere_else(tenant: Tenant, place: str):
    async def away(connection: Connection, request: Request) -> None:
        connection.reply(307, None, {"location": place})

    async with serving_http(away) as port:
        found = await probe(tenant, url=f"http://127.0.0.1:{port}/mcp")

    assert found.fault != tool_pb2.FAULT_UNSPECIFIED
    assert found.tools == 0


CHILD = """
import json, os, resource, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("id") is None:
        continue
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] == "initialize":
        reply["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "child", "version": "1"}}
    elif message["method"] == "tools/list":
        reply["result"] = {"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}
    elif message["method"] == "tools/call":
        seen = {"env": sorted(os.environ), "pid": os.getpid(),
                "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
                "cpu": resource.getrlimit(resource.RLIMIT_CPU)[0]}
        reply["result"] = {"content": [{"type": "text", "text": json.dumps(seen)}]}
    else:
        reply["error"] = {"code": -32601, "message": "what?"}
    print(json.dumps(reply), flush=True)
"""


async def test_t11_a_child_is_bounded_and_sees_what_is_listed_and_nothing_else(
    urls: MigrationUrls, keys: Keys
):
    command = [sys.executable, "-c", CHILD]
    settings = settings_for(
        urls,
        keys,
        stdio_commands=[command],
        stdio_environment=["PATH"],
        stdio_memory_bytes=512 * 1024**2,
        stdio_cpu_seconds=60,
    )
    async with serving(settings, keys) as replica:
        tenant = replica.new_tenant()
        await tenant.connect(
            "child", transport=tool_pb2.TRANSPORT_STDIO, command=command, env={"TOKEN": "t"}
        )
        seen = json.loads(text_of(await tenant.run(await tenant.ask("child/look"))))

    assert set(seen["env"]) <= {"PATH", "TOKEN", "LC_CTYPE"}
    assert (seen["data"], seen["cpu"]) == (512 * 1024**2, 60)
    await until(lambda: not psutil.pid_exists(seen["pid"]))


async def set_up(tenant: Tenant, name: str, **fields: Any) -> None:
    request = pb.UpdateToolRequest(name=name, **fields)
    await tenant.registry.connectors.UpdateTool(request, metadata=tenant.as_principal())


async def _is_degraded(tenant: Tenant) -> bool:
    return (await tenant.connector("away")).state == tool_pb2.CONNECTOR_STATE_DEGRADED
