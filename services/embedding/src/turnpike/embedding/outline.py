"""Where a part of a text is: its lines, and the headings above it."""

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from turnpike.embedding.boundaries import DEFINITION
from turnpike.embedding.model import Strategy
from turnpike.embedding.syntax import Syntax
from turnpike.embedding.units import Definition

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_CONTENT = re.compile(r"\S")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    level: int
    title: str


class Outline:
    """The lines of one text, and its headings: Markdown's, or definitions in code."""

    def __init__(self, text: str, strategy: Strategy, syntax: Syntax | None) -> None:
        self._text = text
        self._is_code = strategy is Strategy.CODE
        self._is_parsed = syntax is not None
        self._breaks = [index for index, character in enumerate(text) if character == "\n"]
        if syntax is not None:
            self._paths = _nested(syntax.definitions)
        else:
            self._paths = _paths(_definitions(text) if self._is_code else _headings(text))
        self._starts = [start for start, _ in self._paths]

    def lines(self, start: int, end: int) -> tuple[int, int]:
        """Returns the lines of a part's first and last character, from 1."""
        return 1 + bisect_left(self._breaks, start), 1 + bisect_left(self._breaks, end - 1)

    def headings(self, start: int) -> tuple[str, ...]:
        """Returns the headings above a place, the outermost first."""
        if self._is_parsed:
            start = self._content(start)
        index = bisect_right(self._starts, start - 1)
        path = self._paths[index - 1][1] if index else ()
        if self._is_code and not self._is_parsed:
            depth = self._depth(start)
            path = tuple(heading for heading in path if heading.level < depth)
        return tuple(heading.title for heading in path)

    def _content(self, start: int) -> int:
        """Returns where the first character from a place on is that is no white space."""
        found = _CONTENT.search(self._text, start)
        return found.start() if found else len(self._text)

    def _depth(self, start: int) -> int:
        """Returns how far the first line from a place on is indented."""
        line = self._text.rfind("\n", 0, start) + 1
        while line < len(self._text):
            end = self._text.find("\n", line)
            end = len(self._text) if end < 0 else end
            if content := self._text[line:end].strip():
                return self._text.index(content[0], line) - line
            line = end + 1
        return 0


def _paths(found: Iterator[_Heading]) -> list[tuple[int, tuple[_Heading, ...]]]:
    """Returns what is above each heading and below it, by where it starts."""
    paths, path = list[tuple[int, tuple[_Heading, ...]]](), tuple[_Heading, ...]()
    for heading in found:
        path = (*(above for above in path if above.level < heading.level), heading)
        paths.append((heading.start, path))
    return paths


def _nested(definitions: Iterable[Definition]) -> list[tuple[int, tuple[_Heading, ...]]]:
    """Returns what is around the places behind where each definition begins, and ends."""
    paths, path, ends = list[tuple[int, tuple[_Heading, ...]]](), tuple[_Heading, ...](), [-1]

    def leave(place: int) -> None:
        nonlocal path
        while len(ends) > 1 and ends[-1] <= place:
            path = path[:-1]
            paths.append((ends.pop() - 1, path))

    for each in definitions:
        leave(each.start)
        path = (*path, _Heading(each.start, len(path), each.title))
        ends.append(each.end)
        paths.append((each.start, path))
    leave(sys.maxsize)
    return paths


def _headings(text: str) -> Iterator[_Heading]:
    start, fence = 0, ""
    for line in text.splitlines(keepends=True):
        if opening := _FENCE.match(line):
            fence = "" if fence == opening[1] else fence or opening[1]
        elif not fence and (heading := _HEADING.match(line.rstrip("\r\n"))) and heading[2]:
            yield _Heading(start, len(heading[1]), heading[2][:_LONGEST])
        start += len(line)


def _definitions(text: str) -> Iterator[_Heading]:
    definition, start = re.compile(rf"[ \t]*{DEFINITION}"), 0
    for line in text.splitlines(keepends=True):
        if definition.match(line):
            title = line.strip()[:_LONGEST].rstrip("{: ")
            yield _Heading(start, len(line) - len(line.lstrip()), title)
        start += len(line)
