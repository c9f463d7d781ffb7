"""Conversations without a pause, in full: `python -m tests.faults.prefix [--turns N]`.

Each turn is sent the moment that the last one's end is seen, at two replicas. Before it is,
the last one must be committed to the prefix ledger; and of what the provider received each
request must begin with the bytes of the one before.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import httpx
import orjson
import uvloop

from tests.agent_runtime.prefix.ledgers import begins_with
from tests.doubles.processes import Double, running
from tests.e2e.edge import Edge, connected
from tests.e2e.suite import running_suite

TURNS_A_THREAD = 50
AT_ONCE = 4
REPLICAS = {"agent-runtime": 2, "gateway": 2}


async def main() -> int:
    """Converses, and says what was not committed or did not begin as it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.prefix", description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home,
        running("model_server") as model,
    ):
        async with (
            running_suite(Path(home), replicas=REPLICAS) as suite,
            connected(suite.url, suite.key) as edge,
        ):
            await edge.agent("talker", "n=3", model.url, instructions="Be brief.")
            committed = await converse(edge, options.turns)
            continued, requests = await compare(model)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{committed} of {options.turns} turns were committed when their end was seen")
    print(f"{continued} of {requests} requests begin with the bytes of the one before")
    return int(committed < options.turns or continued < requests)


async def converse(edge: Edge, turns: int) -> int:
    """Sends so many turns; returns how many were committed when they ended."""
    lengths = iter([min(TURNS_A_THREAD, turns - at) for at in range(0, turns, TURNS_A_THREAD)])

    async def client() -> int:
        return sum([await thread_of(edge, length) for length in lengths])

    return sum(await asyncio.gather(*(client() for _ in range(AT_ONCE))))


async def thread_of(edge: Edge, turns: int) -> int:
    """Sends so many turns in one thread, each at once after the last one's end."""
    committed, thread = 0, (await edge.call("POST", "/threads", {}))["id"]
    for number in range(turns):
        turn = await edge.start_in(thread, "talker", f"turn {number}")
        await edge.read(turn["id"])
        response = await edge.http.get("/admin/sessions", params={"thread": thread})
        (session,) = response.json()["sessions"]
        committed += (session["epoch"], session["revision"]) == (1, number + 1)
    return committed


async def compare(model: Double) -> tuple[int, int]:
    """Returns how many requests go on from the one before in their thread, of how many."""
    async with httpx.AsyncClient(timeout=60) as client:
        sent = (await client.get(f"{model.origin}/sent")).json()["sent"]
    threads: defaultdict[str, list[bytes]] = defaultdict(list)
    for body in sent:
        threads[orjson.loads(body)["prompt_cache_key"]].append(body.encode())
    pairs = [pair for bodies in threads.values() for pair in pairwise(bodies)]
    return sum(begins_with(later, earlier) for earlier, later in pairs), len(pairs)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
