"""Processes under test, and waiting for what becomes of them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnpike.cli import stack

LAUNCHER = Path(stack.__file__).with_name("launch.py")
OWNER = Path(__file__).with_name("owner.py")


def eventually(condition: Callable[[], bool], within: float = 30) -> None:
    """Waits until `condition` holds; fails when it does not in time."""
    give_up = time.monotonic() + within
    while not condition():
        assert time.monotonic() < give_up, "it did not come to pass in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def owner(
    home: Path, account: str = "same"
) -> Generator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A process that owns databases in `home`, started under `account`, and what it says."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), "9", account]
    process = subprocess.Popen(
        [*launcher, sys.executable, str(OWNER), str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout
        facts = json.loads(process.stdout.readline())
        yield process, facts
        process.communicate(timeout=60)
