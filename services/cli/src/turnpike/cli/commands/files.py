"""`turnpike files`: what agents are given with a turn's input."""

import mimetypes
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.downloads import download
from turnpike.cli.progress import Transfer
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Keep files, to give to agents.")

File = Annotated[str, typer.Argument(help="The file's id.")]


@app.command()
def put(
    path: Annotated[Path, typer.Argument(help="What to upload.")],
    name: Annotated[str, typer.Option(help="What to call it, if not as it is called.")] = "",
    media_type: Annotated[str, typer.Option(help="What it is, if not as its name says.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Upload a file."""
    guessed = media_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        content = path.open("rb")
    except OSError as error:
        raise CommandError(f"cannot read {str(path)!r}: {error.strerror}") from error
    bar = Transfer(path.name, is_shown=not as_json)
    with content, connected(home, url, key) as client, bar:
        made = client.fetch(
            "POST",
            "/api/v1/files",
            params={"name": name or path.name},
            headers={"content-type": guessed},
            content=bar.reading(content, path.stat().st_size),
        )
    Terminal(as_json=as_json).result(made, _line(made))


@app.command()
def get(
    file: File,
    path: Annotated[
        Path | None,
        typer.Argument(help="Where to write it, a folder too; by its own name, if not given."),
    ] = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Download a file; what is there already is not overwritten."""
    one = f"/api/v1/files/{quote(file, safe='')}"
    with connected(home, url, key) as client, Transfer(file, is_shown=not as_json) as bar:
        found = client.fetch("GET", one)
        target = download(client, f"{one}/content", path, bar.tell)
    Terminal(as_json=as_json).result({**found, "path": str(target)}, str(target))


@app.command("list")
def list_files(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List files, newest first."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/files", "files"):
            terminal.result(each, _line(each))


@app.command()
def rm(
    file: File, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Delete a file; threads that hold it keep it for as long as they are there."""
    with connected(home, url, key) as client:
        client.fetch("DELETE", f"/api/v1/files/{quote(file, safe='')}")
    Terminal(as_json=as_json).result({"id": file, "deleted": True}, f"deleted {file}")


def _line(file: dict[str, Any]) -> str:
    return f"{file['id']}  {file['size']:>10}  {file['media_type']:<24} {file['name']}"
