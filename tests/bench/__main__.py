"""`make bench`: the figures of a turn, beside the model server alone.

    python -m tests.bench [--turns N]

Everything runs on this machine, which must have nothing else to do.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.cost import descendants, memory_megabytes, name_of, processor_seconds
from tests.bench.load import Load, Target, run_load
from tests.doubles.processes import Double, running
from tests.e2e.edge import Edge, connected
from tests.e2e.suite import Suite, running_suite

DATABASES = ("postgres", "valkey-server")
SHORT, LONG = 100, 600
REST_SECONDS = 3


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    name: str
    ours: str
    alone: str = ""
    goal: str = ""

    def __str__(self) -> str:
        return f"{self.name:<44}{self.ours:>14}{self.alone:>14}{self.goal:>14}"


@dataclass
class Measured:
    """A load, and what it cost in processor time."""

    load: Load
    seconds: float

    @property
    def per_turn(self) -> float:
        """Milliseconds of processor time a turn."""
        return self.seconds * 1000 / self.load.streams


@dataclass
class Bench:
    """The suite and the model server, under load."""

    suite: Suite
    edge: Edge
    model: Double

    def ours(self, words: int) -> Target:
        """Returns turns of so many words."""
        body: dict[str, object] = {"agent": f"words-{words}", "input": "hello"}
        return Target(f"{self.suite.url}/api/v1/turns:run", body, self.suite.key)

    def alone(self, words: int) -> Target:
        """Returns the same words straight from the model server."""
        message = {"role": "user", "content": "hello"}
        body: dict[str, object] = {"model": f"n={words}", "stream": True, "messages": [message]}
        return Target(f"{self.model.url}/chat/completions", body)

    def processes(self) -> set[int]:
        """Returns our processes, the databases apart."""
        every = descendants([self.suite.process.pid])
        apart = descendants(pid for pid in every if name_of(pid) in DATABASES)
        return every - apart

    async def measure(self, target: Target, *, clients: int, turns: int) -> Measured:
        """Runs a load and returns what it cost our processes."""
        await run_load(target, clients=2, streams=10)
        pids = self.processes()
        before = processor_seconds(pids)
        load = await run_load(target, clients=clients, streams=turns)
        if load.failures:
            raise SystemExit(f"{load.failures} of {load.streams} streams failed")
        return Measured(load, processor_seconds(pids) - before)


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
            print(Figure("", "turnpike", "model alone", "goal"))
            print(Figure("`up` to the first answer", f"{first_answer:.1f} s", "", "≤ 10 s"))
            await print_memory(bench)
            for words in (SHORT, LONG):
                await edge.agent(f"words-{words}", f"n={words}", model.url)
            await print_latency(bench, options.turns)
            await print_cost(bench, options.turns)
            await print_throughput(bench, options.turns)


async def time_first_answer(suite: Suite, edge: Edge) -> float:
    """Returns how long it took from `up` to a first answer."""
    began = time.monotonic()
    await edge.run("default", "hello")
    return suite.started_in + time.monotonic() - began


async def print_memory(bench: Bench) -> None:
    """Prints what the suite holds when nobody asks for anything."""
    await asyncio.sleep(REST_SECONDS)
    held = memory_megabytes(bench.processes())
    print(Figure("memory at rest (PSS)", f"{held:.0f} MB", "", "≤ 450 MB"), flush=True)


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
