"""`turnpike apply`: make a suite have what files say."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.settings import inherited_environment
from turnpike.cli.setup.application import apply_documents
from turnpike.cli.setup.documents import Document, load_documents
from turnpike.cli.terminal import Terminal


def apply(
    files: Annotated[
        list[Path], typer.Option("-f", "--file", help="A YAML file; - is stdin. Repeatable.")
    ],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create or update what the files say, from plans to agents; all of it, or nothing."""
    documents = read_set_up(files)
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for outcome in apply_documents(client, documents, inherited_environment()):
            terminal.result(outcome.facts(), str(outcome))


def read_set_up(files: list[Path]) -> list[Document]:
    """Returns the documents in `files`; raises MistakesError."""
    return load_documents([_read(file) for file in files])


def _read(file: Path) -> tuple[str, str]:
    if str(file) == "-":
        return "<stdin>", sys.stdin.read()
    try:
        return str(file), file.read_text()
    except OSError as error:
        raise CommandError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{str(file)!r} is not UTF-8 text: {error}") from error
