"""Processes that lost their parent, adopted so that none is left behind."""

import ctypes
import os
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from turnpike.cli.stack.children import started

_PR_SET_CHILD_SUBREAPER = 36


def adopt_strays() -> None:
    """Makes this process the parent of every descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def strays() -> list[int]:
    """Returns the adopted processes that run: children that were not started here.

    Buries those that have ended. The others are buried by who started them, and only there: whoever
    came second would take a failure for success.
    """
    found: list[int] = []
    known = started()
    for pid in _children():
        if pid in known:
            continue
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                found.append(pid)
    return found


def end_strays(patience: timedelta = timedelta(0)) -> None:
    """Ends every adopted process, kindly at first; returns when none is left."""
    deadline = time.monotonic() + patience.total_seconds()
    for pid in strays():
        _send(pid, signal.SIGTERM)
    while remaining := strays():
        if time.monotonic() > deadline:
            for pid in remaining:
                _send(pid, signal.SIGKILL)
        time.sleep(0.01)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _children() -> list[int]:
    me = os.getpid()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            stat = (entry / "stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) == me:
                found.append(int(entry.name))
    return found
