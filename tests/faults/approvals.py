"""Approvals by the thousand: `python -m tests.faults.approvals [--only TEXT] [--part N]`.

at once    decisions that are sent within a millisecond of the event: all are accepted
fuzzed     decisions of every sort: no tool runs with arguments that do not fit its schema
cycles     pauses that go on, are refused, fail, expire or are cancelled: slots = running turns
fifty      fifty decisions at once on three replicas: one wins, the tool runs once
expired    approvals that nobody decides: readers on every replica see one end, within 2 s
large      a conversation of fifty megabytes: its next turn pauses, and goes on
restart    everything dies while turns wait, and starts again: the same answers as without

`--part 10` runs a tenth of each.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from tests.faults.approval_cycles import cycles
from tests.faults.approval_fuzzing import fuzzed
from tests.faults.expiring import expired
from tests.faults.large import large
from tests.faults.outcome import Outcome
from tests.faults.racing import at_once, fifty
from tests.faults.restarted import restarted
from tests.faults.stage import Stage, staged

Program = Callable[[Stage, int], Awaitable[Outcome]]
PROGRAMS: dict[str, tuple[Program, int]] = {
    "at once": (at_once, 1_000),
    "fuzzed": (fuzzed, 10_000),
    "cycles": (cycles, 1_000),
    "fifty": (fifty, 20),
    "expired": (expired, 100),
    "large": (large, 50),
}


async def main() -> int:
    """Runs the programs; returns 1 when anything did not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.approvals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="programs whose name holds this")
    parser.add_argument("--part", type=int, default=1, help="by what the sizes are divided")
    options = parser.parse_args()
    faults: list[str] = []
    if any(options.only in name for name in PROGRAMS):
        faults += await _run_staged(options.only, options.part)
    if options.only in "restart":
        faults += await _run("restart", restarted(10))
    for fault in faults[:50]:
        print(fault)
    return 1 if faults else 0


async def _run_staged(only: str, part: int) -> list[str]:
    replicas = {"agent-runtime": 3, "gateway": 2, "tool-registry": 2}
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home:
        async with staged(Path(home), replicas) as stage:
            for name, (program, size) in PROGRAMS.items():
                if only in name:
                    faults += await _run(name, program(stage, max(1, size // part)))
    return faults


async def _run(name: str, work: Awaitable[Outcome]) -> list[str]:
    began = time.monotonic()
    outcome = await work
    took, load = time.monotonic() - began, os.getloadavg()[0]
    shown = f"in {took:.0f} s at load {load:.1f} on {os.cpu_count()} cores"
    print(f"{name}: {outcome.line()}; {shown}", flush=True)
    return outcome.faults


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
