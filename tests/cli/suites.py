"""Whole suites, started as users start them."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.processes import is_running

TURNPIKE = Path(sys.executable).with_name("turnpike")


def turnpike_environment(**settings: str) -> dict[str, str]:
    """The environment, without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if "TURNPIKE" not in name}
    return {**kept, **settings}


def turnpike(
    *words: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user would, to its end."""
    return subprocess.run(
        [str(TURNPIKE), *words],
        input=stdin,
        env=turnpike_environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@dataclass
class Suite:
    """A running `turnpike up`."""

    process: subprocess.Popen[str]
    home: Path
    url: str
    key: str

    @property
    def run(self) -> dict[str, Any]:
        """What `run.json` says now."""
        return json.loads((self.home / "run.json").read_text())

    def entry(self, name: str) -> dict[str, Any]:
        """Returns a process's entry in `run.json`, databases included."""
        entries = [*self.run["processes"], *self.run["databases"]]
        return next(entry for entry in entries if entry["name"] == name)

    def pids(self) -> list[int]:
        """Returns the ids of every process of the suite."""
        return [entry["pid"] for entry in [*self.run["processes"], *self.run["databases"]]]

    def turnpike(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command against this suite."""
        return turnpike(*words, "--home", str(self.home), stdin=stdin)


@contextmanager
def up(home: Path, *options: str) -> Generator[Suite]:
    """Starts a suite, waits for `ready`, and stops it in the end."""
    command = [str(TURNPIKE), "up", "--http-port", "0", *options]
    with (
        (home.parent / f"{home.name}.out").open("w") as progress,
        subprocess.Popen(
            [*command, "--home", str(home)],
            env=turnpike_environment(),
            cwd=home.parent,
            stdout=subprocess.PIPE,
            stderr=progress,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            ready, key = process.stdout.readline(), process.stdout.readline()
            assert ready.startswith("ready "), Path(progress.name).read_text()
            yield Suite(process, home, ready.split()[1], key.strip())
        finally:
            process.terminate()
            process.wait(60)


def none_runs(pids: list[int]) -> bool:
    """Whether all of these processes are gone."""
    return not any(is_running(pid) for pid in pids)
