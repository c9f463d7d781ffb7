"""Cutting a process off from its lease while it goes on working.

The owner of a turn is not stopped: only its way to renew its lease is. Others declare it
dead and take its turns, while it still writes. Nothing but the fence keeps that out.
"""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.e2e.suite import Process, until_it
from tests.faults.stage import Stage

LEASE_ROLE = "agent_runtime_system"


@asynccontextmanager
async def without_lease(stage: Stage, owner: Process) -> AsyncGenerator[None]:
    """Holds still, while inside, the Postgres sessions by which a process keeps its lease."""
    stopped: list[int] = []

    async def hold() -> bool:
        for pid in await sessions(stage, owner):
            if pid not in stopped:
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        # One that was held within a transaction has locks that others wait for.
        busy = await sessions(stage, owner, "AND state <> 'idle'")
        for pid in busy:
            os.kill(pid, signal.SIGCONT)
            stopped.remove(pid)
        return not busy and bool(stopped)

    try:
        await until_it(hold)
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def sessions(stage: Stage, owner: Process, condition: str = "") -> list[int]:
    """Returns the Postgres processes that serve an owner's lease."""
    rows = await stage.query(
        "SELECT pid FROM pg_stat_activity"
        f" WHERE usename = $1 AND client_port = ANY($2) {condition}",
        LEASE_ROLE,
        local_ports(owner.pid),
    )
    return [row["pid"] for row in rows]


def local_ports(pid: int) -> list[int]:
    """Returns the local ports of a process's TCP connections."""
    inodes: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return [int(each[1].split(":")[1], 16) for each in fields if each[9] in inodes]
