"""Parses one file of code, alone in a process: `python -m turnpike.embedding.grammars LANGUAGE …`.

The code comes on stdin. What it is made of goes to stdout, a line each: `unit DEPTH ABOVE START
END` for what is better not divided, and `definition START END TITLE`; places are characters. A
grammar is foreign code that reads foreign text: hence the process.
"""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from turnpike.embedding.confinement import confine
from turnpike.embedding.units import Definition, Unit, found

if TYPE_CHECKING:
    from tree_sitter import Node

GRAMMARS = {
    "bash": ("tree_sitter_bash", "language"),
    "c": ("tree_sitter_c", "language"),
    "c++": ("tree_sitter_cpp", "language"),
    "c#": ("tree_sitter_c_sharp", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
}
"""The languages, and where each one's grammar is: a module, and its function."""


def main() -> None:
    """Parses what is on stdin."""
    language, memory, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    confine(memory, seconds)
    sys.stdout.writelines(written(sys.stdin.buffer.read(), language))


def written(source: bytes, language: str) -> Iterator[str]:
    """Returns the lines that say what some code is made of."""
    units, definitions = found(source, parsed(source, language))
    characters = _characters(source, _places(units, definitions))
    for unit in units:
        above, start, end = (characters[place] for place in (unit.above, unit.start, unit.end))
        yield f"unit {unit.depth} {above} {start} {end}\n"
    for each in definitions:
        yield f"definition {characters[each.start]} {characters[each.end]} {each.title}\n"


def parsed(source: bytes, language: str) -> "Node":
    """Returns the root of the tree of some code, whatever it is: what is wrong is in it too."""
    from tree_sitter import Language, Parser

    module, function = GRAMMARS[language]
    capsule = getattr(import_module(module), function)()
    grammar = Language(capsule)  # pyright: ignore[reportDeprecated] # that is for numbers
    return Parser(grammar).parse(source).root_node


def _places(units: Iterable[Unit], definitions: Iterable[Definition]) -> Iterator[int]:
    for unit in units:
        yield from (unit.above, unit.start, unit.end)
    for each in definitions:
        yield from (each.start, each.end)


def _characters(source: bytes, places: Iterable[int]) -> dict[int, int]:
    """Returns which character each byte is."""
    characters, before, count = dict[int, int](), 0, 0
    for place in sorted(set(places)):
        count += len(source[before:place].decode(errors="ignore"))
        characters[place] = count
        before = place
    return characters


if __name__ == "__main__":
    main()
