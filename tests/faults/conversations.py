"""Conversations by the thousand with a server that keeps one session for each:
`python -m tests.faults.conversations [--conversations N]`.

Each is a turn of one call through the whole suite. In the end, when what was kept warm has gone
idle, the registry has as many processes, sockets and sessions as before.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from tests.doubles.scripted_mcp import Called, ScriptedServer, said, tool
from tests.e2e.edge import Edge, connected
from tests.e2e.suite import running_suite
from tests.waiting import until

AT_ONCE = 16
MOST_SESSIONS = 1_000
# What is kept warm is kept for five minutes, and looked at now and then.
IDLE_SECONDS = 420


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    children: int
    sockets: int

    @classmethod
    def by(cls, process: psutil.Process) -> "Held":
        """Returns what it holds now."""
        return cls(len(process.children(recursive=True)), len(process.net_connections("tcp")))


async def main() -> int:
    """Converses, waits, and says what was left behind."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.conversations", description=__doc__
    )
    parser.add_argument("--conversations", type=int, default=10_000)
    options = parser.parse_args()
    server = ScriptedServer([tool("count")], answer=count, sessions=True)
    with tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home:
        async with (
            server.listening() as place,
            running_suite(Path(home)) as suite,
            connected(suite.url, suite.key) as edge,
        ):
            await edge.call("PUT", "/connectors/effects", {"transport": "http", "url": place})
            await edge.call("POST", "/tools/effects/count:call", {})
            await until(lambda: len(server.open_sessions) <= 1)
            registry = psutil.Process(suite.of("tool-registry")[0].pid)
            before = Held.by(registry)
            most = await converse(edge, server, options.conversations)
            await until(lambda: not server.open_sessions, seconds=IDLE_SECONDS)
            after = Held.by(registry)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{options.conversations} conversations, {most} sessions at once at most")
    print(f"before: {before}; after: {after}")
    small = most <= MOST_SESSIONS + AT_ONCE
    # So many callers at once have their database connections; the conversations have nothing.
    back = after.children <= before.children and after.sockets <= before.sockets + AT_ONCE
    return 0 if small and back else 1


async def count(_called: Called) -> dict[str, object]:
    """Answers."""
    return said("1")


async def converse(edge: Edge, server: ScriptedServer, conversations: int) -> int:
    """Makes a call in each of so many; returns how many sessions were open at most."""
    left = iter(range(conversations))
    most = 0

    async def client() -> None:
        nonlocal most
        for _ in left:
            turn = await edge.call("POST", "/tools/effects/count:call", {})
            assert turn["status"] == "COMPLETED", turn
            most = max(most, len(server.open_sessions))

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return most


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
