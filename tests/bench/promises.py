"""What the suite promises in seconds: restarts, the stop, and cancellations."""

import asyncio
import signal
import time
from typing import Any

import httpx

from tests.bench.bench import Bench, Figure
from tests.e2e.suite import Suite, until_it

CANCELLED = "n=20+hang=3"
KILLED = ("gateway", "agent-runtime", "tool-registry", "embedding", "gatekeeper")
TIMES = 20
STOP_SECONDS = 60


async def print_cancelling(bench: Bench) -> None:
    """Prints how soon after a cancellation the provider's stream is closed, and who asked told."""
    agent = await bench.edge.agent("hangs", CANCELLED, bench.model.url)
    closed, told = zip(*[await cancel(bench, agent) for _ in range(TIMES)], strict=True)
    for name, seconds, goal in (
        ("cancel → the provider's stream closed, p95", sorted(closed), "≤ 300 ms"),
        ("cancel → told, p95", sorted(told), ""),
    ):
        late = seconds[int(len(seconds) * 0.95)]
        print(Figure(name, f"{late * 1000:.0f} ms", "", goal), flush=True)


async def cancel(bench: Bench, agent: str) -> tuple[float, float]:
    """Cancels a turn in its model call; returns both in seconds."""
    turn = await bench.edge.start(agent)

    async def is_asked() -> bool:
        return (await stats(bench))["open_streams"] > 0

    async def is_closed() -> bool:
        return not await is_asked()

    await until_it(is_asked)
    began = time.time()
    await bench.edge.call("POST", f"/turns/{turn['id']}:cancel")
    told = time.time() - began
    await until_it(is_closed)
    return max(0.0, (await stats(bench))["closed_early"][-1]["closed"] - began), told


async def stats(bench: Bench) -> dict[str, Any]:
    """Returns what the model server counts."""
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{bench.model.origin}/stats")).json()


async def print_restarts(suite: Suite) -> None:
    """Prints how long a process of each service is away that was killed, at worst."""
    taken: list[float] = []
    for service in KILLED:
        killed = suite.of(service)[0]
        began = time.monotonic()
        suite.send(killed.name, signal.SIGKILL)
        await suite.restarted(killed, within=STOP_SECONDS)
        taken.append(time.monotonic() - began)
    print(Figure("killed → serves again, worst of five", f"{max(taken):.1f} s", "", "≤ 3 s"))


async def print_stop(suite: Suite) -> None:
    """Stops the suite, and prints how long that takes."""
    began = time.monotonic()
    suite.process.terminate()
    async with asyncio.timeout(STOP_SECONDS):
        await suite.process.wait()
    print(Figure("Ctrl-C → nothing runs", f"{time.monotonic() - began:.1f} s", "", "≤ 10 s"))
