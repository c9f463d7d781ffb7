"""Everything dies while a turn waits for somebody, and starts again: the answer is the same."""

import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from tests.doubles.effects_journal import Journal
from tests.doubles.processes import running
from tests.e2e.edge import JSON, Edge, connected
from tests.e2e.folding import Fold
from tests.e2e.mcp_servers import http
from tests.e2e.suite import Suite, running_suite, until, write_config
from tests.faults.deciding import ASKS, FIRST, begun, decide, said
from tests.faults.outcome import Outcome


async def restarted(times: int) -> Outcome:
    """Runs a turn that is left alone, and so many that everything dies under."""
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-faults-") as folder,
        running("model_server") as model,
    ):
        home, journal = Path(folder), Journal(Path(folder) / "journal")
        with running("effects_server", "--journal", str(journal.path)) as effects:
            config = write_config(home / "setup.yaml", [http("effects", effects.url)])
            async with running_suite(home / "suite", config=config) as suite:
                async with connected(suite.url, suite.key) as edge:
                    await edge.agent("paused", _SCRIPT, model.url, **ASKS)
                    wanted = await _ended(edge, *await begun(edge, "paused"))
                    waits = [await begun(edge, "paused") for _ in range(times)]
                await _kill_all(suite)
            async with (
                running_suite(home / "suite") as again,
                connected(again.url, again.key) as edge,
            ):
                for turn, asked in waits:
                    found = await _ended(edge, turn, asked)
                    if _told(found) != _told(wanted):
                        outcome.faults.append(f"{_told(found)}, not {_told(wanted)}")
        happened = journal.effects("restarted")
        if happened != times + 1:
            outcome.faults.append(f"{times + 1} turns had {happened} effects")
    outcome.figures = {"turns": times, "answer": repr(wanted.answer[:40])}
    return outcome


_SCRIPT = 'n=12+tool=effects__transfer+arg={"tag":"restarted"}'


async def _ended(edge: Edge, turn: JSON, asked: JSON) -> Fold:
    await decide(edge, asked["approval"], said("approve", FIRST))
    return await edge.read(turn["id"])


def _told(fold: Fold) -> tuple[object, ...]:
    """Returns what readers were told in the end, and in which order.

    Redis has lost its copy of the log: whoever goes on begins above the numbers that were
    reserved, and says so by a reset that voids nothing.
    """
    bridges = ("text.delta", "log.reset")
    kinds = [event.type for event in fold.log if event.type not in bridges]
    return fold.status, fold.steps, [call["result"] for call in fold.calls], kinds


async def _kill_all(suite: Suite) -> None:
    """SIGKILLs the launcher, the services and their stores, and waits until nothing is left."""
    everything = [suite.process.pid, *(each.pid for each in suite.processes)]
    everything += [each.pid for each in psutil.Process(suite.process.pid).children(recursive=True)]
    for pid in dict.fromkeys(everything):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await suite.process.wait()
    await until(lambda: not any(_lives(pid) for pid in everything), 30)


def _lives(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
