"""Starts an MCP server as a child that is bounded and does not outlive the registry.

Run as a script, by its path: `launcher.py PARENT MEMORY CPU NAMES COMMAND…`. It takes its
limits, keeps of its environment what is named, and becomes the command. It imports
nothing of ours, so that it costs milliseconds.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 1024


def main(parent: str, memory: str, cpu: str, names: str, *command: str) -> None:
    """Becomes `command`, or exits with 127 when there is none."""
    _die_with(int(parent))
    _limit(resource.RLIMIT_DATA, int(memory))
    _limit(resource.RLIMIT_CPU, int(cpu))
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    kept = {name: os.environ[name] for name in names.split("\n") if name in os.environ}  # noqa: TID251
    try:
        os.execvpe(command[0], command, kept)  # noqa: S606
    except OSError:
        sys.exit(127)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have died before that was said.
        if os.getppid() != parent:
            sys.exit(1)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (bound, bound))


if __name__ == "__main__":
    main(*sys.argv[1:])
