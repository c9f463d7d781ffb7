"""Two processes in place of one, so that killing either leaves no orphan.

The outer one is what the user started. The inner one starts everything, and takes its own end, and
the outer one's, for a reason to stop it all in order. When the inner one is killed, its children
die with it, the outer one adopts what they had started themselves, and ends that.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta

from turnpike.cli.stack.launch import die_with
from turnpike.cli.suite.strays import adopt_strays, end_strays

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE = timedelta(seconds=4)


def run_guarded(body: Callable[[], int]) -> int:
    """Runs `body` in a process of its own; returns its exit status when nothing of it is left."""
    adopt_strays()
    sys.stdout.flush()
    sys.stderr.flush()
    outer = os.getpid()
    # No signal may come between the fork and the forwarding.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    inner = os.fork()
    if inner == 0:
        os._exit(_run_inner(body, outer))
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: _forward(inner, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    _, status = os.waitpid(inner, 0)
    end_strays(_PATIENCE)
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code < 0:
        killer = signal.Signals(-exit_code).name
        print(f"the supervisor was killed by {killer}; everything was stopped", file=sys.stderr)
        return 1
    return exit_code


def _forward(inner: int, received: int) -> None:
    # The terminal is gone: nobody will press Ctrl-C.
    os.kill(inner, signal.SIGTERM if received == signal.SIGHUP else received)


def _run_inner(body: Callable[[], int], outer: int) -> int:
    # Out of the terminal's reach: Ctrl-C comes once, by way of the outer process.
    os.setsid()
    die_with(outer, signal.SIGTERM)
    adopt_strays()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    try:
        return body()
    except KeyboardInterrupt:
        return 130
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
