"""A stream that ends when its caller's credential is revoked."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from turnpike.rpc.errors import UnauthenticatedError
from turnpike.rpc.identity import Caller

UntilRevoked: TypeAlias = Callable[[Caller, Callable[[], None]], AbstractContextManager[None]]
"""Calls what it is given if the caller's credential is revoked inside the block."""


class Tenure:
    """The time for which a caller may hold a stream that the current task serves."""

    __slots__ = ("_over", "_task", "waiting")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._over = False
        self.waiting = False
        """Whether the stream waits for what to say next, not for its reader."""

    def end(self) -> None:
        """Ends the stream: now if it waits, else before it says anything more."""
        if not self._over:
            self._over = True
            if self.waiting and self._task is not None:
                self._task.cancel()

    def check(self) -> None:
        """Returns if the stream may go on; else raises `UnauthenticatedError`."""
        if self._over:
            raise UnauthenticatedError("the credential was revoked")

    @contextmanager
    def ending(self) -> Generator[None]:
        """Turns the cancellation that `end` causes into an `UnauthenticatedError`."""
        try:
            yield
        except asyncio.CancelledError:
            # The client may have hung up at the same time; then that is all.
            if self._over and self._task is not None and not self._task.uncancel():
                self.check()
            raise


@contextmanager
def tenure(caller: Caller | None, until_revoked: UntilRevoked | None) -> Generator[Tenure]:
    """Yields the tenure of a stream's caller; without a caller it has no end."""
    held = Tenure()
    if caller is None or until_revoked is None:
        yield held
        return
    with until_revoked(caller, held.end), held.ending():
        yield held
