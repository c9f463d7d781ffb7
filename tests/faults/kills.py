"""SIGKILL at every point of a call: `python -m tests.faults.kills [--calls 200] [--seed N]`.

Turns of one call by the dozen, one tool that must not be called twice and one whose server
knows its calls by their keys. Each kill finds them at one point of their way, held there, or
wherever they happen to be; kills of tool-registry and of agent-runtime, until as many calls
of each tool were under way in either. How often that was at which point is printed.

Exits with status 1 when anything did not hold: an effect twice, or not once where the server
knows its calls; an unknown outcome that nobody was asked about within ten seconds; a turn
that did not complete, a log, a bill or a message that is not what happened.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import uvloop

from tests.e2e.edge import RefusedError
from tests.e2e.suite import Process
from tests.faults.crowds import TOOLS, Crowd, Person, Standing, crowd_of, waiting_calls
from tests.faults.holds import HOLDS, Hold
from tests.faults.invariants import unsettled
from tests.faults.reading import BROKEN
from tests.faults.stage import Stage, staged

REPLICAS = {"agent-runtime": 2, "gateway": 1, "tool-registry": 2}
EACH = 20
"""How many calls of each tool a crowd has; about half of them are the victim's."""

ASKED_WITHIN_SECONDS = 10
EITHER = "either"
"""Of which tool a call is that nobody has written down cannot be seen from outside."""

RESTART_SECONDS = 90
COLUMNS = (*TOOLS, EITHER)


@dataclass
class Findings:
    """What the kills of one service came to."""

    service: str
    kills: int = 0
    points: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """How many calls were killed, by point and tool."""

    asked: list[float] = field(default_factory=list[float])
    """After how many seconds each unknown outcome was asked about."""

    faults: list[str] = field(default_factory=list[str])

    def killed(self, tool: str) -> int:
        """Returns how many calls of a tool were killed."""
        return sum(count for (_, each), count in self.points.items() if each == tool)

    def lines(self) -> list[str]:
        """Returns the findings as people read them."""
        points = list(dict.fromkeys(point for point, _ in self.points))
        table = [
            f"  {point:<14}" + "".join(f"{self.points[point, each]:>10}" for each in COLUMNS)
            for point in points
        ]
        slowest = f", the slowest after {max(self.asked):.1f} s" if self.asked else ""
        return [
            f"{self.service}: {self.kills} kills, {len(self.faults)} faults",
            f"  {'point':<14}" + "".join(f"{each:>10}" for each in COLUMNS),
            *table,
            f"  {'in all':<14}" + "".join(f"{self.killed(each):>10}" for each in COLUMNS),
            f"  {len(self.asked)} unknown outcomes asked about{slowest}",
        ]


async def main() -> int:
    """Kills until enough calls were killed, and prints what came of it."""
    options = parse()
    random.seed(options.seed)
    print(f"seed {options.seed}, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home:
        async with staged(options.home or Path(home), REPLICAS) as stage:
            chosen = {name: each for name, each in HOLDS.items() if options.only in name}
            found = [await kill(stage, name, chosen[name], options.calls) for name in chosen]
    return 1 if any(each.faults for each in found) else 0


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--only", default="", help="services whose name holds this")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--home", type=Path, help="keep everything there, logs included")
    return parser.parse_args()


async def kill(stage: Stage, service: str, holds: dict[str, Hold], calls: int) -> Findings:
    """Kills a service's processes, at each point in turn, until enough calls were killed."""
    found = Findings(service)
    while found.kills < len(holds) or min(found.killed(tool) for tool in TOOLS) < calls:
        name = list(holds)[found.kills % len(holds)]
        found.kills += 1
        before = found.points.total()
        faults = await attempted(stage, found, holds[name])
        found.faults += faults
        killed = found.points.total() - before
        print(f"{service} {found.kills} {name}: {killed} killed, {len(faults)} faults", flush=True)
        for fault in faults:
            print(f"  {fault}", flush=True)
    print(*found.lines(), sep="\n", flush=True)
    return found


async def attempted(stage: Stage, found: Findings, hold: Hold) -> list[str]:
    """Makes one trial; one that breaks down is a fault, not the end of all."""
    try:
        return await trial(stage, found, hold)
    except (*BROKEN, RefusedError, LookupError, TimeoutError) as broken:
        return [f"the trial broke down: {broken!r}"]


async def trial(stage: Stage, found: Findings, hold: Hold) -> list[str]:
    """Holds a crowd, kills a process in the midst of it, and returns what did not hold."""
    crowd = crowd_of(stage, f"{found.service}-{found.kills}", EACH)
    victims: list[Process] = []
    owners: dict[str, str | None] = {}
    standing: dict[str, Standing] = {}
    moment: list[datetime] = []

    async def strike() -> None:
        owners.update(await crowd.owners())
        about_to, victim = await busiest(stage, crowd, found.service, owners)
        found.points["asked", EITHER] += about_to
        victims.append(victim)
        moment.append((await stage.query("SELECT clock_timestamp() AS now"))[0]["now"])
        os.kill(victim.pid, signal.SIGKILL)
        standing.update(await crowd.standing(owners))

    person = Person(stage, crowd)
    await hold(stage, crowd, strike)
    deciding = asyncio.create_task(person.decide())
    try:
        faults = await crowd.ended()
    finally:
        deciding.cancel()
        await asyncio.wait({deciding})
    (victim,) = victims
    await stage.suite.restarted(victim, RESTART_SECONDS)
    found.points.update(points_of(found.service, crowd, victim, standing))
    return faults + late(found, person, moment[0]) + await unsettled(stage)


async def busiest(
    stage: Stage, crowd: Crowd, service: str, owners: dict[str, str | None]
) -> tuple[int, Process]:
    """Returns the process that has most of a crowd, and how many it is about to write down."""
    processes = stage.suite.of(service)
    if service != "tool-registry":
        turns = Counter(owners.values())
        return 0, max(processes, key=lambda each: turns[each.name])
    calls = Counter(
        stood.executor for stood in (await crowd.standing(owners)).values() if not stood.ended
    )
    writing = {each.name: await waiting_calls(stage, each) for each in processes}
    victim = max(processes, key=lambda each: calls[each.name] + writing[each.name])
    return writing[victim.name], victim


def late(found: Findings, person: Person, moment: datetime) -> list[str]:
    """Notes when each unknown outcome was asked about; returns those that were late."""
    waited = {tag: (asked - moment).total_seconds() for tag, asked in person.asked.items()}
    found.asked += waited.values()
    return [
        f"{tag} was asked about after {seconds:.1f} s"
        for tag, seconds in waited.items()
        if seconds > ASKED_WITHIN_SECONDS
    ]


def points_of(
    service: str, crowd: Crowd, victim: Process, standing: dict[str, Standing]
) -> Counter[tuple[str, str]]:
    """Counts the calls that were the victim's, by where they were when it died."""
    place = _in_the_registry if service == "tool-registry" else _in_the_runtime
    found: Counter[tuple[str, str]] = Counter()
    for member in crowd.members:
        stood = standing.get(member.tag)
        point = place(stood, victim.name) if stood else ""
        if point:
            found[point, member.tool] += 1
    return found


def _in_the_registry(stood: Standing, victim: str) -> str:
    if stood.executor != victim or stood.ended or stood.outcome:
        return ""
    if stood.status == "PENDING":
        return "written"
    if stood.status != "DISPATCHED":
        return "recorded"
    return _at_the_server(stood)


def _in_the_runtime(stood: Standing, victim: str) -> str:
    if stood.owner != victim:
        return ""
    if stood.ended:
        return "ended"
    if stood.outcome is None:
        return "begun"
    if stood.outcome:
        return "answered for"
    if stood.status is None:
        return "asked"
    if stood.status == "PENDING":
        return "written"
    if stood.status != "DISPATCHED":
        return "recorded"
    return _at_the_server(stood)


def _at_the_server(stood: Standing) -> str:
    if stood.ends:
        return "answered"
    return "in the tool" if stood.effects else "sent"


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
