"""CPU work that would hold up the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import ParamSpec, Self, TypeVar

from turnpike.embedding.model import QueueFullError

P = ParamSpec("P")
T = TypeVar("T")

_RETRY_AFTER = timedelta(seconds=1)


class Offload:
    """Runs functions in threads of its own, and refuses when too much waits for one.

    What waits is measured in characters, so that a few long texts count for as
    much as many short ones.
    """

    def __init__(self, name: str, *, threads: int, max_waiting: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._max_waiting = max_waiting
        self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.executor.shutdown(cancel_futures=True)

    async def run(
        self, characters: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Returns what `function` returns, or raises `QueueFullError` at once."""
        if self._waiting and self._waiting + characters > self._max_waiting:
            raise QueueFullError(self._waiting, "characters", retry_after=_RETRY_AFTER)
        self._waiting += characters
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.executor, lambda: function(*args, **kwargs))
        finally:
            self._waiting -= characters
