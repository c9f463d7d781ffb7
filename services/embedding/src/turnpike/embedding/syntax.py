"""What a text of code is made of, as its chunks need it."""

import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import chain
from typing import Self

from turnpike.embedding.boundaries import Level
from turnpike.embedding.units import MAX_DEPTH, Definition, Unit


class Syntax:
    """Where a text may be cut, the outermost places first, and its definitions."""

    def __init__(self, units: list[Unit], definitions: list[Definition]) -> None:
        self.definitions = definitions
        cuts = [(set[int](), set[int]()) for _ in range(MAX_DEPTH)]
        for unit in units:
            around, inside = cuts[unit.depth]
            around.update((unit.above, unit.end))
            inside.add(unit.start)
        # What is above a definition is parted from it only where both do not fit.
        self.levels = tuple(_at(sorted(places)) for places in chain(*cuts) if places)

    @classmethod
    def read(cls, written: bytes) -> Self:
        """Returns what the parser wrote."""
        units, definitions = list[Unit](), list[Definition]()
        # Line by line: whoever waits for this thread's lock need not wait for it all.
        for line in io.BytesIO(written):
            kind, _, rest = line.decode().rstrip("\n").partition(" ")
            if kind == "unit":
                depth, above, start, end = map(int, rest.split())
                units.append(Unit(depth, above, start, end))
            else:
                start, end, title = rest.split(" ", 2)
                definitions.append(Definition(int(start), int(end), title))
        return cls(units, definitions)


def _at(places: list[int]) -> Level:
    def cuts(part: str, start: int) -> Iterator[int]:
        first, last = bisect_right(places, start), bisect_left(places, start + len(part))
        return (place - start for place in places[first:last])

    return cuts
