"""Conversations by the thousand with a server that keeps one session for each:
`python -m tests.faults.conversations [--conversations N]`.

Each is a turn of one call through the whole suite. In the end, when what was kept warm has gone
idle, every process of the suite has as many children and sockets as before, the server one session
at most, and what the first fifth did not need in memory the rest did not either.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from tests.doubles.scripted_mcp import Called, ScriptedServer, said, tool
from tests.e2e.edge import Edge, connected
from tests.e2e.suite import Process, Suite, running_suite
from tests.waiting import until

AT_ONCE = 16
MOST_SESSIONS = 1_000
# What is kept warm is kept for five minutes, and looked at now and then.
IDLE_SECONDS = 420
MORE_MEMORY = 1.25


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    children: int
    sockets: int
    megabytes: int

    @classmethod
    def by(cls, process: Process) -> "Held":
        """Returns what it holds now."""
        found = psutil.Process(process.pid)
        children = len(found.children(recursive=True))
        sockets = len(found.net_connections("tcp"))
        return cls(children, sockets, found.memory_info().rss >> 20)


def held(suite: Suite) -> dict[str, Held]:
    """Returns what each process of the suite holds."""
    return {process.name: Held.by(process) for process in suite.processes}


def is_back(before: Held, warm: Held, after: Held) -> bool:
    """Tells whether a process has no more than before, and as much memory as at a fifth."""
    # So many callers at once have their connections; the conversations have nothing.
    return (
        after.children <= before.children
        and after.sockets <= before.sockets + 2 * AT_ONCE
        and after.megabytes <= warm.megabytes * MORE_MEMORY
    )


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
            # One may be what its tools were last listed in.
            await until(lambda: len(server.open_sessions) <= 1)
            before = held(suite)
            fifth = options.conversations // 5
            most = await converse(edge, server, fifth)
            warm = held(suite)
            most = max(most, await converse(edge, server, options.conversations - fifth))
            with suppress(TimeoutError):
                await until(lambda: len(server.open_sessions) <= 1, seconds=IDLE_SECONDS)
            after, left = held(suite), len(server.open_sessions)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{options.conversations} conversations, {most} sessions at most, {left} in the end")
    for name in before:
        print(f"{name}: before {before[name]}, at a fifth {warm[name]}, after {after[name]}")
    small = most <= MOST_SESSIONS + AT_ONCE and left <= 1
    back = all(is_back(before[name], warm[name], after[name]) for name in before)
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
