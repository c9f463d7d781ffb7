"""One trial: turns in a phase, something done to a process, and what came of it."""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.edge import RefusedError
from tests.e2e.suite import until_it
from tests.faults.invariants import broken_by, unsettled
from tests.faults.phases import Phase, Subject
from tests.faults.reading import BROKEN, Reading, follow
from tests.faults.stage import Stage

READERS = 2
END_SECONDS = 60


@dataclass
class Result:
    """What a trial came to."""

    faults: list[str] = field(default_factory=list[str])
    takeover: float | None = None
    statuses: list[str] = field(default_factory=list[str])


Act = Callable[[Subject], Awaitable[float]]


async def begin(
    stage: Stage, script: str, tag: str, reader_count: int = READERS, **spec: Any
) -> "Running":
    """Starts a turn on a model of its own, with readers on every gateway."""
    edge = stage.edges[next(stage.numbers) % len(stage.edges)]
    name = await edge.agent(tag, script, stage.model.url, tools=["effects/*"], **spec)
    turn = await edge.start(name)
    readings = [Reading() for _ in range(reader_count)]
    subject = Subject(turn["id"], turn["thread"], script, tag, readings[0])
    tasks = [
        asyncio.create_task(follow(stage.edges, turn["id"], reading, start))
        for start, reading in enumerate(readings)
    ]
    return Running(stage, subject, readings, tasks)


@dataclass
class Running:
    """A turn under trial, with its readers."""

    stage: Stage
    subject: Subject
    readings: list[Reading]
    tasks: "list[asyncio.Task[None]]"

    async def end(self) -> Result:
        """Waits until every reader has seen the end, and checks everything."""
        result = Result()
        try:
            async with asyncio.timeout(END_SECONDS):
                await asyncio.gather(*self.tasks)
        except TimeoutError:
            last = [reading.fold.last for reading in self.readings]
            return Result([f"turn {self.subject.turn} has no end; readers stand at {last}"])
        finally:
            for task in self.tasks:
                task.cancel()
        await self.stage.reachable()
        result.statuses.append(self.readings[0].fold.status)
        result.faults += await broken_by(self.stage, self.subject, self.readings)
        return result


async def trial(stage: Stage, phase: Phase, tag: str, act: Act, **spec: Any) -> Result:
    """Runs a turn to a phase, acts, waits for its end and checks everything.

    `act` returns the moment from which the turn had no working owner.
    """
    running = await begin(stage, phase.script, tag, **spec)
    try:
        await phase.arrive(stage, running.subject)
        moment = await act(running.subject)
    except TimeoutError:
        for task in running.tasks:
            task.cancel()
        return Result([f"{phase.name}: the phase never came"])
    result = await running.end()
    result.takeover = running.subject.reading.went_on_after(moment)
    result.faults += await unsettled(stage)
    return result


async def attempt(run: Callable[[Stage, str], Awaitable[Result]], stage: Stage, tag: str) -> Result:
    """Runs a scenario once; one that breaks down is a failed trial, not the end of all."""
    try:
        return await run(stage, tag)
    except (*BROKEN, RefusedError, LookupError, TimeoutError, StopIteration) as broken:
        last = traceback.extract_tb(broken.__traceback__)
        where = [frame for frame in last if "tests/" in frame.filename][-1]
        return Result([f"{tag}: {broken!r} in {where.name}, line {where.lineno}"])


async def claimed_again(stage: Stage, turn: str, fence: int, within: float = 15) -> None:
    """Waits until a turn has been claimed once more."""

    async def higher() -> bool:
        return await stage.fence(turn) > fence

    await until_it(higher, within)


def jitter() -> float:
    """Returns a short random time, so that trials do not all hit the same instruction."""
    return random.uniform(0, 0.15)
