"""`turnpike artifacts`: what tools brought that is no text, or too much of it."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.gateway.downloads import download
from turnpike.cli.progress import Transfer
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Fetch what the tool calls of turns brought.")

Turn = Annotated[str, typer.Argument(help="The turn's id.")]


@app.command("list")
def list_artifacts(
    turn: Turn, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List a turn's artifacts, in the order of its calls."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in _of_turn(client, turn):
            terminal.result(each, _line(each))


@app.command()
def get(
    artifact: Annotated[str, typer.Argument(help="The artifact's id.")],
    path: Annotated[
        Path | None,
        typer.Argument(help="Where to write it, a folder too; by its own name, if not given."),
    ] = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Download an artifact; what is there already is not overwritten."""
    with connected(home, url, key) as client, Transfer(artifact, is_shown=not as_json) as bar:
        written = download(client, _path(artifact), path, bar.tell)
    Terminal(as_json=as_json).result({"id": artifact, "path": str(written)}, str(written))


@app.command()
def pull(
    turn: Turn,
    folder: Annotated[Path, typer.Argument(help="Where to put them.")] = Path(),
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Download all of a turn's artifacts that are not in the folder yet."""
    terminal = Terminal(as_json=as_json)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot make {str(folder)!r}: {error.strerror}") from error
    with connected(home, url, key) as client:
        for each in _of_turn(client, turn):
            target = folder / _name(each)
            is_new = not target.exists()
            if is_new:
                with Transfer(target.name, is_shown=not as_json) as bar:
                    download(client, _path(each["id"]), target, bar.tell)
            terminal.result({"id": each["id"], "path": str(target), "new": is_new}, str(target))


def _of_turn(client: GatewayClient, turn: str) -> list[dict[str, Any]]:
    path = f"/api/v1/turns/{quote(turn, safe='')}/artifacts"
    return client.fetch("GET", path).get("artifacts", [])


def _path(artifact: str) -> str:
    return f"/api/v1/artifacts/{quote(artifact, safe='')}"


def _name(artifact: dict[str, Any]) -> str:
    """Returns what to call it: two of one turn may have one name."""
    own = Path(str(artifact["name"])).name
    return f"{str(artifact['id'])[:8]}-{own}"


def _line(artifact: dict[str, Any]) -> str:
    size, kind = artifact["size"], artifact["media_type"]
    return f"{artifact['id']}  {size:>10}  {kind:<24} {artifact['name']}"
