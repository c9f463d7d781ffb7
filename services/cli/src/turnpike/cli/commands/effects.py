"""`turnpike effects`: calls whose outcome nobody knows, and what you say of them."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="See calls of unknown outcome, and settle them.")

Effect = Annotated[str, typer.Argument(help="turn:step:ordinal")]


class Said(StrEnum):
    """What became of a call."""

    DONE = "done"
    NOT_DONE = "not_done"
    RUN_AGAIN = "run_again"


@app.command("list")
def list_effects(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List the calls whose outcome nobody knows, newest first."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/effects", "effects"):
            terminal.result(each, f"{each['id']:<44} {each['tool']:<32} {each['created']}")


@app.command()
def show(
    effect: Effect, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Show what was sent, so that you can look whether it was done."""
    with connected(home, url, key) as client:
        found = client.fetch("GET", f"/api/v1/effects/{effect}")
    Terminal(as_json=as_json).result(found, f"{_line(found)}\n{found['arguments']}")


@app.command()
def resolve(
    effect: Effect,
    said: Annotated[Said, typer.Argument(help="What became of it, or what shall.")],
    text: Annotated[str, typer.Option(help="What you found, for the record.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Say what became of a call; run again, its first request may still land."""
    path = f"/api/v1/effects/{effect}"
    with connected(home, url, key) as client:
        # Of two who looked at the same time one settles it.
        generation = client.fetch("GET", path)["generation"]
        body = {"generation": generation, "resolution": said.value, "text": text}
        after = client.fetch("POST", f"{path}:resolve", json=body)
    Terminal(as_json=as_json).result(after, _line(after))


def _line(effect: dict[str, Any]) -> str:
    return f"{effect['id']}  {effect['tool']}  {effect['status']} {effect['reason']}".rstrip()
