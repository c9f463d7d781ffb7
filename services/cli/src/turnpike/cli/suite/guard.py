"""Two processes in place of one, so that killing either leaves no orphan.

The outer one is what the user started. The inner one starts everything, and takes its own end, and
the outer one's, for a reason to stop it all in order. When the inner one is killed, its children
die with it, the outer one adopts what they had started themselves, and ends that.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from turnpike.cli.stack.launch import die_with
from turnpike.cli.suite import strays


def run_guarded(body: Callable[[], int]) -> NoReturn:
    """Runs `body` in a process of its own; ends with its exit status when nothing of it is left."""
    strays.adopt_strays()
    sys.stdout.flush()
    sys.stderr.flush()
    outer = os.getpid()
    # No signal may come between the fork and the forwarding.
    signal.pthread_sigmask(signal.SIG_BLOCK, strays.FORWARDED)
    inner = os.fork()
    if inner == 0:
        os._exit(_run_inner(body, outer))
    # Who only waits needs nothing of what was imported here. A program keeps its process's id,
    # children, blocked signals and adoptions when it becomes another.
    program = [sys.executable, "-I", "-S", strays.__file__, str(inner)]
    os.execv(program[0], program)  # noqa: S606 # no shell is wanted


def _run_inner(body: Callable[[], int], outer: int) -> int:
    # Out of the terminal's reach: Ctrl-C comes once, by way of the outer process.
    os.setsid()
    die_with(outer, signal.SIGTERM)
    strays.adopt_strays()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, strays.FORWARDED)
    try:
        return body()
    except KeyboardInterrupt:
        return 130
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
