"""Chunks of whole documents: `python -m tests.faults.chunks [--documents N] [--seed S]`.

Each document has prose under headings, tables, and code in several scripts; by every strategy
its chunks must be parts of it, say where they are to the character and the line, cover it, fit,
and be as many tokens as they say.
"""

import argparse
import random
import sys

from tests.embedding.test_chunking import assert_exact
from turnpike.embedding.model import Strategy

TEXT = """\
the toll of a bridge is due at dawn and nobody who crosses it after noon pays twice
größer naïve мост 橋の料金 جسر 😀 e\u0301tude O'Hara re-entry 3.14 QX-7731 https://example.org/a?b=c
"""
WORDS = TEXT.split()
ENDS = (". ", "! ", "; ", ",\n", ".\n", "…\r\n", " ")
PARTS = 40


class Author:
    """Writes documents by lot."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def document(self) -> str:
        """Returns a document of some pages."""
        kinds = (self._heading, self._prose, self._prose, self._table, self._code)
        parts = [self._chance.choice(kinds)() for _ in range(self._chance.randrange(1, PARTS))]
        return "".join(part + self._chance.choice(("\n\n", "\n", "")) for part in parts)

    def limits(self) -> tuple[int, int]:
        """Returns how large chunks may be, and how much they share."""
        return self._chance.randrange(32, 257), self._chance.choice((0, 0, 8, 16))

    def _words(self, most: int) -> str:
        return " ".join(self._chance.choices(WORDS, k=self._chance.randrange(1, most)))

    def _heading(self) -> str:
        return "#" * self._chance.randrange(1, 7) + " " + self._words(6)

    def _prose(self) -> str:
        count = self._chance.randrange(1, 12)
        return "".join(self._words(30) + self._chance.choice(ENDS) for _ in range(count))

    def _table(self) -> str:
        columns = self._chance.randrange(1, 6)
        rows = [[self._words(4) for _ in range(columns)] for _ in range(1, 80)]
        rows = rows[: self._chance.randrange(1, 80)]
        lines = [rows[0], ["---"] * columns, *rows[1:]]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def _code(self) -> str:
        lines = [
            f"    {name} = call({name}, {self._chance.random()})  # {self._words(8)}"
            for name in self._chance.choices("abcxyz", k=self._chance.randrange(1, 40))
        ]
        return "\n".join(["def toll(a, b):", *lines, "    return a", ""])


def main() -> int:
    """Chunks them, and says which came out wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chunks", description=__doc__)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    faults, chunks = list[str](), 0
    for number in range(options.documents):
        author = Author(options.seed + number)
        text, limits = author.document(), author.limits()
        for strategy in Strategy:
            try:
                chunks += assert_exact(text, strategy, *limits)
            except AssertionError as error:
                faults.append(f"document {options.seed + number}, {strategy.value}: {error}")
    print(f"{options.documents} documents, {chunks} chunks: {len(faults)} faults")
    print("\n".join(faults))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
