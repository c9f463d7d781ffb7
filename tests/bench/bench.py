"""The suite and the model server under load, and how a figure is printed."""

import asyncio
import time
from dataclasses import dataclass

from tests.bench.cost import descendants, name_of, processor_seconds
from tests.bench.load import Load, Target, run_load
from tests.doubles.processes import Double
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite

DATABASES = ("postgres", "valkey-server")


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
    """A load, and what it cost in processor time beyond that of a suite at rest."""

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
    at_rest: float = 0.0
    """Seconds of processor time a second that our processes use when nobody asks for anything."""

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
        used = processor_seconds(pids) - before
        return Measured(load, used - self.at_rest * load.wall)

    async def rest(self, seconds: float) -> None:
        """Learns what is used when nobody asks for anything."""
        pids = self.processes()
        before, began = processor_seconds(pids), time.monotonic()
        await asyncio.sleep(seconds)
        self.at_rest = (processor_seconds(pids) - before) / (time.monotonic() - began)
