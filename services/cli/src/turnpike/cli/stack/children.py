"""Processes that die with the one that started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")
_started: set[int] = set()


def started() -> frozenset[int]:
    """Returns the ids of every process that was started here, ended ones included."""
    return frozenset(_started)


class Child:
    """A process that gets `death_signal` when the thread that started it is gone.

    Start it from the main thread: the kernel watches the thread, not the process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        account: str = "same",
        death_signal: signal.Signals = signal.SIGKILL,
        stdin: str = "",
    ) -> None:
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER)]
        prefix = [*launcher, str(os.getpid()), str(int(death_signal)), account]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 # the command is ours
                [*prefix, *command],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                # A Ctrl-C at the terminal is for the supervisor, which stops its children in order.
                start_new_session=True,
            )
        _started.add(self._process.pid)
        if stdin and self._process.stdin:
            self._process.stdin.write(stdin.encode())
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status (negative: the signal it died of), or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: timedelta) -> int | None:
        """Waits for the end; returns the exit status, or None when it still runs."""
        try:
            return self._process.wait(timeout.total_seconds())
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal; harmless once the process is gone."""
        self._process.send_signal(number)

    def stop(self, *steps: tuple[signal.Signals, timedelta]) -> None:
        """Sends each signal in turn and waits as long as it says; in the end, kills."""
        for number, patience in steps:
            self.send(number)
            if self.wait(patience) is not None:
                return
        self.send(signal.SIGKILL)
        self._process.wait()
