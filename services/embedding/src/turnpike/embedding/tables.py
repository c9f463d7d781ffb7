"""The tables of a Markdown text."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a text: a table, or what is between two. Prose has no rows."""

    start: int
    end: int
    body: int
    """Where a table's first row starts, after the header and the line below it."""

    rows: tuple[int, ...] = ()
    """Where each row ends."""


def regions(text: str) -> Iterator[Region]:
    """Divides a text into its tables and what is around them, leaving nothing out."""
    lines = text.splitlines(keepends=True)
    start = prose = index = 0
    while index < len(lines):
        rows = _table_at(lines, index)
        if not rows:
            start += len(lines[index])
            index += 1
            continue
        if prose < start:
            yield Region(prose, start, prose)
        table = _table(start, lines[index : index + rows])
        yield table
        start = prose = table.end
        index += rows
    if prose < start:
        yield Region(prose, start, prose)


def _table_at(lines: list[str], index: int) -> int:
    """Returns how many lines the table has that begins here, or 0."""
    if index + 1 >= len(lines) or "|" not in lines[index] or not _is_rule(lines[index + 1]):
        return 0
    end = index + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end - index


def _is_rule(line: str) -> bool:
    return "|" in line and "-" in line and set(line) <= set("|-: \t\r\n")


def _table(start: int, lines: list[str]) -> Region:
    body = start + len(lines[0]) + len(lines[1])
    end, rows = body, list[int]()
    for line in lines[2:]:
        end += len(line)
        rows.append(end)
    return Region(start, end, body, tuple(rows))
