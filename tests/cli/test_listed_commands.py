"""Every command is there to be typed, and the README says so."""

import re
from pathlib import Path

import typer.main

from turnpike.cli import commands
from turnpike.cli.__main__ import make_app

README = Path(__file__).parents[2] / "services/cli/README.md"
# What commands share, and groups within `docs`.
SHARED = {"options", "reporting", "migrations", "sources"}


def modules() -> set[str]:
    return {
        path.stem
        for folder in commands.__path__
        for path in Path(folder).glob("[a-z]*.py")
        if path.stem not in SHARED
    }


def words(line: list[str]) -> set[str]:
    """Returns the first words that an app takes."""
    return set(getattr(typer.main.get_command(make_app(line)), "commands", {}))


def test_every_module_is_a_command():
    assert words([]) == modules()


def test_a_first_word_imports_its_command_alone():
    assert {name: words([name]) for name in modules()} == {name: {name} for name in modules()}


def test_the_readme_lists_every_command():
    table = README.read_text().partition("## Commands")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([a-z]+)\b[^`]*`[^|]*\|", table)) >= modules()
