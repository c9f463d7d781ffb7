"""Keeps one process running."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError, log_tail
from turnpike.cli.suite.exits import ended

_LONGEST_DELAY = 10.0
_FIRST_DELAY = 0.25
# A process that was ready for so long did not fail because it was started.
_PROVEN = timedelta(seconds=1)
_START_TIMEOUT = 60.0


class Keeper:
    """Starts a process, and starts it again each time it ends.

    `start` makes the process, on the event loop's thread; `ready` returns once it serves, and may
    rely on being cancelled when the process ends first.
    """

    def __init__(
        self,
        name: str,
        log: Path,
        *,
        start: Callable[[], Awaitable[Child]],
        ready: Callable[[], Awaitable[None]],
        tell: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self._log = log
        self._start = start
        self._ready = ready
        self._tell = tell
        self._changed = changed
        self._failures = 0
        self.child: Child | None = None

    async def start(self) -> None:
        """Starts the process and waits until it serves; raises StackError when it does not."""
        if not await self._start_once():
            how = describe_exit(self.child.exit_status if self.child else None)
            raise StackError(f"{self.name} {how}; see {self._log}{log_tail(self._log)}")

    async def keep(self) -> None:
        """Starts the process again whenever it ends, for ever."""
        ready_at = time.monotonic()
        is_ready = True
        while self.child:
            await ended(self.child)
            proven = is_ready and time.monotonic() - ready_at > _PROVEN.total_seconds()
            self._failures = 0 if proven else self._failures + 1
            delay = restart_delay(self._failures)
            again = f"in {delay:g} s" if delay else "now"
            self._tell(
                f"{self.name} {describe_exit(self.child.exit_status)}; starting it again {again}"
            )
            await asyncio.sleep(delay)
            is_ready = await self._start_again()
            ready_at = time.monotonic()

    async def _start_again(self) -> bool:
        try:
            is_ready = await self._start_once()
        except (OSError, StackError) as error:
            # What stands in the way may pass: a last run's children, a machine at its limits.
            self._tell(f"{self.name} cannot be started: {error}")
            return False
        if is_ready and self.child:
            self._tell(f"{self.name} is back (process {self.child.pid})")
        return is_ready

    async def _start_once(self) -> bool:
        """Starts the process; whether it came to serve. If not, it has ended."""
        self.child = child = await self._start()
        self._changed()
        ready = asyncio.ensure_future(self._ready())
        end = asyncio.ensure_future(ended(child))
        try:
            await asyncio.wait(
                (ready, end), timeout=_START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
            )
            serves = ready.done() and not ready.exception() and not end.done()
            if not serves and child.exit_status is None:
                child.send(signal.SIGKILL)
                await end
            return serves
        finally:
            ready.cancel()
            end.cancel()
            await asyncio.gather(ready, end, return_exceptions=True)


def restart_delay(failures: int) -> float:
    """Returns the seconds to wait before a start, after so many failures in a row."""
    if failures == 0:
        return 0
    return min(_FIRST_DELAY * 2 ** (failures - 1), _LONGEST_DELAY)


def describe_exit(status: int | None) -> str:
    """Returns "ended with status 1" or "was killed by SIGKILL"."""
    if status is None:
        return "is running"
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
