"""What a killed PostgreSQL leaves behind, and how the next one gets past it."""

import os
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from turnpike.cli.stack.errors import StackError

_PATIENCE = timedelta(seconds=10)


def clear_remains(data: Path) -> None:
    """Ends a server that still runs on `data`, and removes the lock of one that is gone.

    PostgreSQL removes a stale lock itself, but not when the number in it has meanwhile become
    another process's. Only the holder of the home's lock may call this.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        pid = 0
    if pid and _runs_on(pid, data):
        _end(pid, data)
    lock.unlink(missing_ok=True)
    _await_backends(data)


def _end(pid: int, data: Path) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        give_up = time.monotonic() + _PATIENCE.total_seconds() / 2
        while time.monotonic() < give_up:
            if not _runs_on(pid, data):
                return
            time.sleep(0.02)
    raise StackError(f"process {pid} holds {data} and does not end")


def _await_backends(data: Path) -> None:
    """A killed postmaster's children notice, but take a moment to go."""
    give_up = time.monotonic() + _PATIENCE.total_seconds()
    while _backends(data):
        if time.monotonic() > give_up:
            raise StackError(f"processes of a killed server still use {data}: {_backends(data)}")
        time.sleep(0.02)


def _backends(data: Path) -> list[int]:
    """Server processes have their data directory as their working directory."""
    target = os.stat(data)
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and os.path.samestat(os.stat(entry / "cwd"), target):
                found.append(int(entry.name))
    return found


def _runs_on(pid: int, data: Path) -> bool:
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/cwd"), os.stat(data))
    except OSError:
        return False
