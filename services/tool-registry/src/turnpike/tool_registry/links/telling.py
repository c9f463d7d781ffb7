"""The stream on which a server tells of changes, as the transport sees it."""

import asyncio
from collections.abc import Callable

from turnpike.tool_registry.links.faults import LostError, RefusedError
from turnpike.tool_registry.model import Fault

# After so many refusals in a row the SDK asks for no stream any more, and says nothing of it.
_MOST_REFUSALS = 2
_NEVER = 405
_FORGOTTEN = 404


class Telling:
    """Whether a session's server has a stream open to tell on."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()
        """Whether this session will be told nothing any more."""

        self.is_refused = False
        """Whether no other session would be either."""

        self._is_open = False
        self._refusals = 0
        self._on_begin: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Returns if this session may be told of changes still.

        Raises:
            RefusedError: Neither it nor any other is.
            LostError: Another one may be.
        """
        if self.is_refused:
            raise RefusedError("the server has no stream to tell on")
        if self.is_over.is_set():
            raise LostError("the server tells no more", fault=Fault.CONNECTION_LOST)

    def follow(self, on_begin: Callable[[], None]) -> None:
        """Calls `on_begin` when a stream opens, as often as one does; now, if one is open."""
        self._on_begin = on_begin
        if self._is_open:
            on_begin()

    def begin(self) -> None:
        """Notes that a stream is open."""
        self._is_open, self._refusals = True, 0
        self._on_begin()

    def end(self) -> None:
        """Notes that it is open no more."""
        self._is_open = False

    def refuse(self, status: int) -> None:
        """Notes that a stream was asked for in vain."""
        self._refusals += 1
        if status in (_NEVER, _FORGOTTEN) or self._refusals >= _MOST_REFUSALS:
            self.is_refused = status == _NEVER
            self.is_over.set()
