"""Where texts of each kind are best divided.

A level is a function from a part of a text, and where that begins, to the places in the part
where it may be cut. The first level of a list is the best; each next one is for what is still
too long. Code of a language that has a grammar is divided by `syntax`'s levels first.
"""

import re
from collections.abc import Callable, Iterator

Level = Callable[[str, int], Iterator[int]]


def _after(pattern: str) -> Level:
    """Returns the level that cuts after each match. Patterns must match in linear time."""
    compiled = re.compile(pattern)

    def cuts(text: str, _start: int) -> Iterator[int]:
        return (match.end() for match in compiled.finditer(text))

    return cuts


def _before_definitions(indent: str) -> Level:
    """Returns the level that cuts before each definition, and the comments right above it."""
    definition = re.compile(indent + DEFINITION)

    def cuts(text: str, _start: int) -> Iterator[int]:
        start = above = 0
        for line in text.splitlines(keepends=True):
            if definition.match(line):
                yield above
            start += len(line)
            if not _ABOVE_DEFINITION.match(line):
                above = start

    return cuts


DEFINITION = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub"
    r"|override|unsafe|extern|virtual|inline|const)(?:\([a-z]+\))? )*"
    r"(?:def|class|func|function|fn|fun|impl|struct|interface|enum|trait|module|namespace"
    r"|type|record|object|protocol|extension|macro_rules!|sub|proc|CREATE|create)\b"
)
"""How a line that defines something begins, after its indentation."""

_ABOVE_DEFINITION = re.compile(r"[ \t]*(?:@|#|//|--|/\*|\*)")

PROSE: tuple[Level, ...] = (
    _after(r"\n[^\S\n]*\n\s*"),  # paragraphs
    _after(r"\n"),
    _after(r"[.!?\u2026][\"')\]\u00bb\u201d\u2019]*\s+|[\u3002\uff01\uff1f]"),  # sentences
    _after(r"[,;:\u2014\u2013)\]}|]\s*|[\uff0c\uff1b\uff1a\u3001]"),  # clauses
    _after(r"\s+"),
)
LINES: tuple[Level, ...] = (
    _after(r"\n[^\S\n]*\n\s*"),
    _after(r"\n"),
    *PROSE[3:],
)
CODE: tuple[Level, ...] = (
    _before_definitions(""),
    _before_definitions(r"[ \t]+"),
    *LINES,
)
