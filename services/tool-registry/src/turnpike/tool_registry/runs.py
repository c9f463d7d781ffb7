"""A call that runs in this process, as those see it who watch it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, replace

from turnpike.tool_registry.links.exchange import Progress
from turnpike.tool_registry.model import Call
from turnpike.tool_registry.veils import NONE

# What is over so soon is told of once.
_AT_ONCE_SECONDS = 0.01
# What a server says of its progress is passed on this often at most.
_PROGRESS_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Sight:
    """What a watcher is told."""

    call: Call
    progress: Progress | None = None
    """How far it has come, when that is what is new."""


class Run:
    """A call that runs in this process."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.is_over = False
        self.is_unwanted = False
        """Whether the server is to be told to stop when the run is cancelled."""

        self.is_cleared = False
        """Whether the ledger let the request go in the statement that wrote the call."""

        self.was_sent = False
        self.veil = NONE
        """Keeps secrets out of what is shown and kept of it."""

        self.deadline = asyncio.get_running_loop().time() + call.seconds_left
        self.task: asyncio.Task[None] | None = None
        self._progress: Progress | None = None
        self._changed = asyncio.Event()
        self._moved = asyncio.Event()

    def become(self, call: Call) -> None:
        """Shows the call as it now stands to whoever watches."""
        self.call = call
        self._wake()

    def hear(self, progress: Progress) -> None:
        """Shows how far the call has come to whoever watches."""
        self._progress = replace(progress, message=self.veil.over(progress.message))
        self._changed.set()
        self._changed = asyncio.Event()

    def end(self) -> None:
        """Tells the watchers that this process does no more about the call."""
        self.is_over = True
        self._wake()

    def cancel(self) -> None:
        """Stops the run and tells the server; the call is cancelled."""
        self.is_unwanted = True
        self.abandon()

    def abandon(self) -> None:
        """Stops the run without a word to the server; the call is not ours any more."""
        if self.task is not None:
            self.task.cancel()

    def is_result_unwanted(self) -> bool:
        """Whether nobody will want the result: the server may as well stop."""
        return self.is_unwanted or asyncio.get_running_loop().time() >= self.deadline

    async def watch(self, *, at_least_every: float) -> AsyncGenerator[Sight]:
        """Yields the call at each change, and now and then, until the run is over."""
        told: Progress | None = None
        if not self.is_over:
            await _wait(self._changed, _AT_ONCE_SECONDS)
        while True:
            changed, moved, progress = self._changed, self._moved, self._progress
            yield Sight(self.call, None if progress is told else progress)
            told = progress
            if self.is_over:
                return
            await _wait(changed, at_least_every)
            if changed.is_set() and not moved.is_set():
                await _wait(moved, _PROGRESS_SECONDS)

    def _wake(self) -> None:
        self._changed.set()
        self._moved.set()
        self._changed, self._moved = asyncio.Event(), asyncio.Event()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
