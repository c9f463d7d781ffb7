"""The texts of one priority that wait for a batch."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from turnpike.embedding.model import Item, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What makes a batch of a model."""

    max_tokens: int
    """How many tokens a batch may have, padding included; a longer text goes alone."""

    max_texts: int = 1 << 30
    """How many texts it may have."""

    width_step: int = 8
    """Texts are padded to a multiple of so many tokens; 0 when they are not padded."""

    def width(self, tokens: int) -> int:
        """Returns what a text is padded to, and 0 when it is not."""
        step = self.width_step
        return -(-tokens // step) * step if step else 0


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A text that waits, and the future that its callers await."""

    key: bytes
    item: "Item"
    vector: "asyncio.Future[bytes]"
    queued: float
    priority: "Priority"
    width: int
    callers: int = 0
    place: object | None = field(default=None, init=False)
    """Where it stands in a line; None when it waits no more."""

    @property
    def cost(self) -> int:
        """How many tokens it adds to a batch."""
        return self.width or len(self.item.ids)


class Line:
    """Entries by width, so that those of one batch need the same padding.

    The width follows from the text alone, and with it the text's vector.
    """

    def __init__(self, packing: Packing) -> None:
        self._packing = packing
        self.tokens = 0
        """How many tokens wait, padding included."""

        self.texts = 0
        """How many texts wait."""

        self._by_width: dict[int, deque[tuple[object, Entry]]] = {}

    def put(self, entry: Entry) -> None:
        """Adds an entry behind all others."""
        entry.place = object()
        self._by_width.setdefault(entry.width, deque()).append((entry.place, entry))
        self.tokens += entry.cost
        self.texts += 1

    def drop(self, entry: Entry) -> bool:
        """Forgets an entry of this line; says whether it was still waiting."""
        if entry.place is None:
            return False
        entry.place = None
        self.tokens -= entry.cost
        self.texts -= 1
        return True

    def take(self) -> list[Entry]:
        """Takes the entry that has waited longest, and those behind it of its width.

        All together are as long as a batch may be, unless the first is longer.
        """
        self._discard_dropped()
        if not self._by_width:
            return []
        width = min(self._by_width, key=lambda width: self._by_width[width][0][1].queued)
        places, taken, tokens = self._by_width[width], list[Entry](), 0
        while places and self._fits(*places[0], len(taken), tokens):
            place, entry = places.popleft()
            if entry.place is place:
                self.drop(entry)
                taken.append(entry)
                tokens += entry.cost
        return taken

    def _fits(self, place: object, entry: Entry, texts: int, tokens: int) -> bool:
        if not texts or entry.place is not place:
            return True
        packing = self._packing
        return texts < packing.max_texts and tokens + entry.cost <= packing.max_tokens

    def _discard_dropped(self) -> None:
        for width, places in list(self._by_width.items()):
            while places and places[0][1].place is not places[0][0]:
                places.popleft()
            if not places:
                del self._by_width[width]
