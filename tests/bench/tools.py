"""What tools cost beyond their servers: `python -m tests.bench.tools [--calls N]`.

One tool-registry, as a process, with its Postgres; the client and the MCP server are in
this one. Everything runs on this machine, which must have nothing else to do; its load
is printed.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import uvloop

from tests.bench.__main__ import Figure
from tests.channels import channel_to
from tests.conftest import SERVICES, Keys, Schemas
from tests.doubles.scripted_mcp import HANDSHAKE, STATELESS, ScriptedServer, tool
from tests.ports import free_port
from tests.tool_registry.serving import Registry, Tenant, environment_for
from turnpike.api.tool_registry.v1.connector_service_pb2 import ListToolsRequest
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import RunCallRequest
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.link import Link
from turnpike.tool_registry.model import Endpoint, Transport

Act: TypeAlias = Callable[[], Awaitable[object]]

TOOLS = 200
START_SECONDS = 30
GOAL = "≤ 3 ms"
CONFINES = Confines(allow_private=True, environment=(), memory_bytes=0, cpu_seconds=0)


async def main(calls: int) -> None:
    """Measures, and prints the figures."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as home, LocalPostgres(Path(home)) as postgres:
        async with started(postgres) as registry:
            print(await listing(registry, calls))
            async with disk(postgres) as commit:
                for era, sessions in ((STATELESS, False), (HANDSHAKE, True)):
                    for figure in await warm(registry, calls, era, commit, sessions=sessions):
                        print(figure)


async def listing(registry: Registry, calls: int) -> Figure:
    """Lists two hundred tools of a known connector, again and again."""
    server = ScriptedServer([tool(f"t{number:03}", "Does it.") for number in range(TOOLS)])
    tenant = registry.new_tenant()
    async with server.listening() as url:
        await tenant.connect(url=url)
        assert len((await tenant.list_tools()).tools) == TOOLS
        asked = len(server.seen)
        # As a person's app does, whose token holds for a while.
        who = tenant.as_principal()
        took = await median(
            lambda: registry.connectors.ListTools(ListToolsRequest(), metadata=who), calls
        )
        assert len(server.seen) == asked
    return Figure(f"list {TOOLS} tools, p50", f"{took:.2f} ms", goal=GOAL)


async def warm(
    registry: Registry, calls: int, era: str, commit: Act, *, sessions: bool
) -> list[Figure]:
    """Calls a tool through the registry, and through a client of one's own that stays open."""
    server = ScriptedServer([tool("one")], era=era, sessions=sessions)
    tenant = registry.new_tenant()
    async with server.listening() as url, opened(url) as link:
        await tenant.connect(url=url)
        request = await tenant.ask("effects/one")
        alone, added, commits = list[float](), list[float](), list[float]()
        # In turns: whatever else the machine does slows all of them down alike.
        for _ in range(calls):
            alone.append(await milliseconds(lambda: directly(link)))
            added.append(await milliseconds(lambda: through(tenant, request)) - alone[-1])
            commits.append(await milliseconds(commit) + await milliseconds(commit))
    middle, beside = calls // 2, [all - two for all, two in zip(added, commits, strict=True)]
    return [
        Figure(
            f"warm call added, p50, {era}",
            f"{sorted(added)[middle]:.2f} ms",
            f"{sorted(alone)[middle]:.2f} ms",
            GOAL,
        ),
        Figure("  two bare commits to this disk", f"{sorted(commits)[middle]:.2f} ms"),
        Figure("  added beside them", f"{sorted(beside)[middle]:.2f} ms"),
    ]


@asynccontextmanager
async def disk(postgres: LocalPostgres) -> AsyncGenerator[Act]:
    """Gives a commit of one small row: what a call needs two of, whatever else it costs."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE TABLE bench_commits (number integer)")
    yield lambda: connection.execute("INSERT INTO bench_commits VALUES (1)")
    await connection.close()


async def directly(link: Link) -> None:
    """Makes one call without the registry."""
    await link.call_tool(
        "one",
        {},
        meta={},
        input_schema={},
        is_unwanted=lambda: False,
        heard=lambda _: None,
        answers={},
    )


async def through(tenant: Tenant, request: RunCallRequest) -> None:
    """Makes one call of a new turn, in one conversation."""
    request.turn, request.conversation = str(uuid4()), "bench"
    call = await tenant.run(request)
    assert not call.reason, call


async def median(act: Act, times: int) -> float:
    """Returns the middle of how long something takes, in milliseconds, once it is warm."""
    for _ in range(20):
        await act()
    return sorted([await milliseconds(act) for _ in range(times)])[times // 2]


async def milliseconds(act: Act) -> float:
    """Returns how long something takes."""
    begun = time.perf_counter()
    await act()
    return (time.perf_counter() - begun) * 1000


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Link]:
    """Opens a session of one's own."""
    link = Link(Endpoint(transport=Transport.HTTP, url=url), CONFINES, on_change=lambda: None)
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.hold(ready))
        await ready
        yield link
        link.close()


@asynccontextmanager
async def started(postgres: LocalPostgres) -> AsyncGenerator[Registry]:
    """Runs tool-registry while inside."""
    keys = Keys({name: bytes([index] * 32) for index, name in enumerate(SERVICES, start=1)})
    urls = await Schemas(postgres.url).of("tool_registry")
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnpike.tool_registry"),
        env={**os.environ, **environment_for(urls, keys, LISTEN_ADDRESS=address)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with channel_to(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), START_SECONDS)
            yield Registry(channel, keys)
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tools", description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    uvloop.run(main(parser.parse_args().calls))
