"""`make faults`: trials of every scenario against a suite of processes.

    python -m tests.faults [--trials N] [--only TEXT] [--seed N] [--fail-fast] [--home DIR]
    python -m tests.faults --without-fence     on a copy of the tree without a fence

The first exits with status 1 when anything did not hold, the second when nothing was
noticed.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.mutation import goes_red_without_a_fence
from tests.faults.report import HEADER, Tally, total
from tests.faults.scenarios import Scenario, scenarios
from tests.faults.stage import Stage, staged
from tests.faults.trials import attempt

TAKEOVER_GOAL_SECONDS = 6


def main() -> None:
    """Runs what the command line says."""
    options = parse()
    if options.without_fence:
        sys.exit(0 if goes_red_without_a_fence() else 1)
    random.seed(options.seed)
    chosen = [scenario for scenario in scenarios() if options.only in scenario.name]
    print(f"seed {options.seed}, {options.trials} trials each\n{HEADER}", flush=True)
    tallies = asyncio.run(run(chosen, options))
    summary = total(tallies)
    print(summary.line())
    for tally in tallies:
        for fault in tally.faults:
            print(f"{tally.scenario}: {fault}")
    takeovers = summary.takeovers
    if takeovers and takeovers[int(len(takeovers) * 0.99)] > TAKEOVER_GOAL_SECONDS:
        print(f"takeover p99 is above the goal of {TAKEOVER_GOAL_SECONDS} s")
    sys.exit(1 if summary.faults else 0)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--home", type=Path, help="keep everything there, logs included")
    parser.add_argument("--fail-fast", action="store_true")
    parser.add_argument("--without-fence", action="store_true")
    return parser.parse_args()


async def run(chosen: list[Scenario], options: argparse.Namespace) -> list[Tally]:
    """Sets a stage up and runs the trials on it."""
    with tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home:
        async with staged(options.home or Path(home)) as stage:
            return await run_on(stage, chosen, options)


async def run_on(stage: Stage, chosen: list[Scenario], options: argparse.Namespace) -> list[Tally]:
    """Runs the trials of each scenario, and prints each line when it is known."""
    tallies: list[Tally] = []
    for scenario in chosen:
        tally = Tally(scenario.name)
        tallies.append(tally)
        for _ in range(options.trials):
            tag = f"trial-{next(stage.numbers)}"
            tally.results.append(await attempt(scenario.run, stage, tag))
            if tally.faults and options.fail_fast:
                return tallies
        print(tally.line(), flush=True)
    return tallies


if __name__ == "__main__":
    main()
