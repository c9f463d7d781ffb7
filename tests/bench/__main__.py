"""`make bench`: the figures of a turn, beside the model server alone.

    python -m tests.bench [--turns N]

Everything runs on this machine, which must have nothing else to do.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import uvloop

from tests.bench.bench import Bench, Figure
from tests.bench.cost import memory_megabytes
from tests.bench.promises import print_cancelling, print_restarts, print_stop
from tests.bench.trips import print_trips
from tests.doubles.processes import running
from tests.e2e.edge import Edge, connected
from tests.e2e.suite import Suite, running_suite

SHORT, LONG = 100, 600
REST_SECONDS = 3


async def main() -> None:
    """Starts everything, measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=300)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-bench-") as home,
        running("model_server") as model,
    ):
        async with (
            running_suite(Path(home)) as suite,
            connected(suite.url, suite.key) as edge,
        ):
            first_answer = await time_first_answer(suite, edge)
            bench = Bench(suite, edge, model)
            print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            print(Figure("", "turnpike", "model alone", "goal"))
            print(Figure("`up` to the first answer", f"{first_answer:.1f} s", "", "≤ 10 s"))
            await print_memory(bench)
            for words in (SHORT, LONG):
                await edge.agent(f"words-{words}", f"n={words}", model.url)
            await print_latency(bench, options.turns)
            await print_cost(bench, options.turns)
            await print_throughput(bench, options.turns)
            await print_trips(bench, options.turns)
            await print_cancelling(bench)
            await print_restarts(suite)
            await print_stop(suite)
            print(f"load after: {os.getloadavg()[0]:.1f}")


async def time_first_answer(suite: Suite, edge: Edge) -> float:
    """Returns how long it took from `up` to a first answer."""
    began = time.monotonic()
    await edge.run("default", "hello")
    return suite.started_in + time.monotonic() - began


async def print_memory(bench: Bench) -> None:
    """Prints what the suite holds when nobody asks for anything."""
    await bench.rest(REST_SECONDS)
    held = memory_megabytes(bench.processes())
    print(Figure("memory at rest (PSS)", f"{held:.0f} MB", "", "≤ 450 MB"))
    used = f"{bench.at_rest * 1000:.0f} ms/s"
    print(Figure("processor time at rest", used), flush=True)


async def print_latency(bench: Bench, turns: int) -> None:
    """Prints when the first word comes, with one client."""
    ours = (await bench.measure(bench.ours(SHORT), clients=1, turns=turns)).load
    alone = (await bench.measure(bench.alone(SHORT), clients=1, turns=turns)).load
    for share, goal in ((0.5, "≤ 12 ms"), (0.99, "")):
        name = f"first delta, one client, p{share * 100:.0f}"
        first, without = (f"{load.quantile(share):.1f} ms" for load in (ours, alone))
        print(Figure(name, first, without, goal), flush=True)


async def print_cost(bench: Bench, turns: int) -> None:
    """Prints the processor time of a turn, and of each word after the hundredth."""
    short = await bench.measure(bench.ours(SHORT), clients=8, turns=turns)
    long = await bench.measure(bench.ours(LONG), clients=8, turns=turns)
    name = f"processor time of a turn of {SHORT} words"
    print(Figure(name, f"{short.per_turn:.1f} ms", "", "≤ 10 ms"))
    each = (long.per_turn - short.per_turn) * 1000 / (LONG - SHORT)
    print(
        Figure("processor time of each further word", f"{each:.1f} µs", "", "≤ 30 µs"), flush=True
    )


async def print_throughput(bench: Bench, turns: int) -> None:
    """Prints how many words a second reach 16 clients."""
    ours = (await bench.measure(bench.ours(LONG), clients=16, turns=turns)).load
    alone = (await bench.measure(bench.alone(LONG), clients=16, turns=turns)).load
    rates = (f"{load.words / load.wall:,.0f}" for load in (ours, alone))
    print(Figure("deltas a second, 16 clients", *rates), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
