"""Connectors that are child processes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from tests.conftest import Keys
from tests.doubles import effects_server
from tests.doubles.effects_journal import Journal
from tests.doubles.http1 import Connection, Request
from tests.doubles.http1 import serving as serving_http
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for, text_of
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls

ENVIRONMENT = """
import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("id") is None:
        continue
    if message["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "env", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "env", "inputSchema": {"type": "object"}}]}
    elif message["method"] == "tools/call":
        result = {"content": [{"type": "text", "text": json.dumps(dict(os.environ))}]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"],
                          "error": {"code": -32601, "message": "what?"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


@pytest.fixture(scope="module")
def urls(lone_urls: MigrationUrls) -> MigrationUrls:
    """The ways into a database that no other replica sweeps: it would start children of its own."""
    return lone_urls


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, list[str]]:
    """The command lines that the operator allows."""
    journal = str(tmp_path / "journal")
    return {
        "effects": [sys.executable, effects_server.__file__, "--stdio", "--journal", journal],
        "env": [sys.executable, "-c", ENVIRONMENT],
        "missing": ["/nowhere/to/be/found"],
        "mute": [sys.executable, "-c", "import sys; sys.stdin.read()"],
    }


@pytest.fixture
async def local(
    urls: MigrationUrls, keys: Keys, commands: dict[str, list[str]]
) -> AsyncGenerator[Registry]:
    """A replica that may start them."""
    settings = settings_for(urls, keys, stdio_commands=list(commands.values()))
    async with serving(settings, keys) as replica:
        yield replica


async def connect(tenant: Tenant, commands: dict[str, list[str]], name: str, **env: str) -> None:
    await tenant.connect(name, transport=tool_pb2.TRANSPORT_STDIO, command=commands[name], env=env)


async def test_a_child_serves_calls(
    local: Registry, commands: dict[str, list[str]], tmp_path: Path
):
    tenant = local.new_tenant()
    await connect(tenant, commands, "effects")

    call = await tenant.run(await tenant.ask("effects/transfer", tag="rent"))

    assert text_of(call) == "done rent"
    assert Journal(tmp_path / "journal").effects("rent") == 1


async def test_a_child_that_dies_leaves_its_call_unknown_and_is_started_again(
    local: Registry, commands: dict[str, list[str]]
):
    tenant = local.new_tenant()
    await connect(tenant, commands, "effects")

    died = await tenant.run(await tenant.ask("effects/die"))
    after = await tenant.run(await tenant.ask("effects/echo", x=1))

    assert died.status == tool_pb2.CALL_STATUS_UNKNOWN
    assert json.loads(after.structured) == {"x": 1}


async def test_a_child_sees_only_the_variables_that_were_listed(
    local: Registry, commands: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOL_REGISTRY_SIGNING_KEY", "secret")
    tenant = local.new_tenant()
    await connect(tenant, commands, "env", TOKEN="for the child")

    seen = json.loads(text_of(await tenant.run(await tenant.ask("env/env"))))

    assert seen["TOKEN"] == "for the child"
    assert "TOOL_REGISTRY_SIGNING_KEY" not in seen
    assert set(seen) <= {"TOKEN", "PATH", "HOME", "LOGNAME", "SHELL", "TERM", "USER", "LC_CTYPE"}


async def test_a_command_that_is_not_there_is_said_to_be(
    local: Registry, commands: dict[str, list[str]]
):
    tenant = local.new_tenant()
    await connect(tenant, commands, "missing")

    assert await tenant.tools() == {}
    connector = await tenant.connector("missing")
    assert connector.state == tool_pb2.CONNECTOR_STATE_DEGRADED
    assert "/nowhere/to/be/found" in connector.state_reason


async def test_no_child_outlives_its_replica(
    urls: MigrationUrls, keys: Keys, commands: dict[str, list[str]]
):
    others = set(psutil.Process().children(recursive=True))
    settings = settings_for(urls, keys, stdio_commands=list(commands.values()))
    async with serving(settings, keys) as replica:
        tenant = replica.new_tenant()
        await connect(tenant, commands, "effects")
        await tenant.tools()
        children = [
            child
            for child in psutil.Process().children(recursive=True)
            # Suites of other tests have such children too.
            if child not in others and "--stdio" in child.cmdline()
        ]
        assert children

    await until(lambda: all(has_ended(child) for child in children))


def has_ended(child: psutil.Process) -> bool:
    try:
        return child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_server_of_the_protocols_authors_is_understood(urls: MigrationUrls, keys: Keys):
    command = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "Europe/Berlin"]
    async with serving(settings_for(urls, keys, stdio_commands=[command]), keys) as replica:
        tenant = replica.new_tenant()
        await tenant.connect("time", transport=tool_pb2.TRANSPORT_STDIO, command=command)

        call = await tenant.run(await tenant.ask("time/get_current_time", timezone="Asia/Tokyo"))
        wrong = await tenant.run(await tenant.ask("time/get_current_time", timezone="Moon/Base"))

    assert "Asia/Tokyo" in text_of(call)
    assert (wrong.status, wrong.reason) == (tool_pb2.CALL_STATUS_FAILED, "TOOL_ERROR")


async def test_servers_of_the_protocols_authors_keep_apart(
    urls: MigrationUrls, keys: Keys, tmp_path: Path
):
    """One reads a repository, one a page; each conversation has children of its own."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)  # noqa: ASYNC221 # at once
    (tmp_path / "written").write_text("today")
    commands = {
        "git": [sys.executable, "-m", "mcp_server_git", "--repository", str(tmp_path)],
        "fetch": [
            *(sys.executable, "-m", "mcp_server_fetch"),
            *("--ignore-robots-txt", "--allow-private-ips"),
        ],
    }

    async def page(connection: Connection, request: Request) -> None:
        connection.reply(200, {"said": "on the page"})

    settings = settings_for(urls, keys, stdio_commands=list(commands.values()))
    async with serving(settings, keys) as replica, serving_http(page) as port:
        tenant = replica.new_tenant()
        for name in commands:
            await connect(tenant, commands, name)
        shown = await tenant.tools()
        status = await tenant.ask("git/git_status", repo_path=str(tmp_path))
        fetch = await tenant.ask("fetch/fetch", url=f"http://127.0.0.1:{port}/page")
        repository, fetched = await asyncio.gather(tenant.run(status), tenant.run(fetch))

    assert {each.state for each in shown.values()} == {"OK"}
    assert "written" in text_of(repository)
    assert "on the page" in text_of(fetched)
