"""Processes that lost their parent, adopted so that none is left behind.

Run by path, with the standard library alone, `strays.py INNER` is the outer one of two processes
(see `guard.py`): it holds a few megabytes while INNER runs, its child.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What the outer process passes on; blocked when it begins."""

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = timedelta(seconds=4)


def adopt_strays() -> None:
    """Makes this process the parent of every descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def outlive(inner: int) -> int:
    """Passes signals on to `inner`; returns its exit status when nothing of it is left."""
    for number in FORWARDED:
        signal.signal(number, lambda received, _: _forward(inner, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    _, status = os.waitpid(inner, 0)
    end_strays((), _PATIENCE)
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code < 0:
        killer = signal.Signals(-exit_code).name
        print(f"the supervisor was killed by {killer}; everything was stopped", file=sys.stderr)
        return 1
    return exit_code


def _forward(inner: int, received: int) -> None:
    # The terminal is gone: nobody will press Ctrl-C.
    os.kill(inner, signal.SIGTERM if received == signal.SIGHUP else received)


def strays(started: Collection[int]) -> list[int]:
    """Returns the adopted processes that run: children that were not started here.

    Buries those that have ended. The others are buried by who started them, and only there: whoever
    came second would take a failure for success.
    """
    found: list[int] = []
    for pid in _children():
        if pid in started:
            continue
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                found.append(pid)
    return found


def end_strays(started: Collection[int], patience: timedelta = timedelta(0)) -> None:
    """Ends every adopted process, kindly at first; returns when none is left.

    `started` are the children that are no strays.
    """
    deadline = time.monotonic() + patience.total_seconds()
    for pid in strays(started):
        _send(pid, signal.SIGTERM)
    while remaining := strays(started):
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


if __name__ == "__main__":
    sys.exit(outlive(int(sys.argv[1])))
