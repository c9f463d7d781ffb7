"""The texts of one priority that wait for a batch."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

WIDTH_STEP = 8
"""Texts are padded to a multiple of this many tokens."""


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A text that waits, and the future that its caller awaits."""

    tokens: Sequence[int]
    vector: "asyncio.Future[bytes]"
    queued: float
    width: int = field(init=False)
    waits: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self.width = -(-len(self.tokens) // WIDTH_STEP) * WIDTH_STEP


class Line:
    """Entries by width, so that those of one batch need the same padding.

    The width follows from the text alone, and with it the text's vector.
    """

    def __init__(self) -> None:
        self.tokens = 0
        """How many tokens wait, padding included."""

        self._by_width: dict[int, deque[Entry]] = {}

    def put(self, entry: Entry) -> None:
        """Adds an entry behind all others."""
        self._by_width.setdefault(entry.width, deque()).append(entry)
        self.tokens += entry.width

    def drop(self, entry: Entry) -> bool:
        """Forgets an entry; says whether it was still waiting."""
        waited, entry.waits = entry.waits, False
        self.tokens -= entry.width if waited else 0
        return waited

    def take(self, max_tokens: int) -> list[Entry]:
        """Takes the entry that has waited longest, and those behind it of its width.

        All together are at most `max_tokens` long, unless the first is longer.
        """
        self._discard_dropped()
        if not self._by_width:
            return []
        width = min(self._by_width, key=lambda width: self._by_width[width][0].queued)
        entries, taken = self._by_width[width], list[Entry]()
        while entries and (not taken or (len(taken) + 1) * width <= max_tokens):
            entry = entries.popleft()
            if self.drop(entry):
                taken.append(entry)
        return taken

    def _discard_dropped(self) -> None:
        for width, entries in list(self._by_width.items()):
            while entries and not entries[0].waits:
                entries.popleft()
            if not entries:
                del self._by_width[width]
