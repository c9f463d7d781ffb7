"""What takes long to load, and is loaded when it is first needed."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """A value that the first caller has made, in a thread; all others wait for it.

    A caller that gives up waiting does not stop the making. When the making
    fails, all who wait get the failure, and the next caller tries again.
    """

    def __init__(self, executor: Executor, make: Callable[[], T]) -> None:
        self._executor = executor
        self._make = make
        self._made: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """Returns the value, once it is made."""
        if self._made is None or _failed(self._made):
            loop = asyncio.get_running_loop()
            self._made = loop.run_in_executor(self._executor, self._make)
        return await asyncio.shield(self._made)


def _failed(made: "asyncio.Future[T]") -> bool:
    return made.done() and (made.cancelled() or made.exception() is not None)
