"""`turnpike variables`: variables and secrets that connectors and agents name."""

import sys
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal

app = typer.Typer(
    no_args_is_help=True,
    help="Keep what connectors and agents name as ${var.NAME}.",
)

Name = Annotated[str, typer.Argument(help="The variable's name.")]
Mine = Annotated[bool, typer.Option("--mine", help="One's own, before the tenant's.")]


@app.command("list")
def list_variables(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List the tenant's variables and one's own; never the secrets."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for entry in client.pages("/api/v1/variables", "variables"):
            terminal.result(entry, _line(entry))


@app.command("set")
def set_variable(
    name: Name,
    value: Annotated[
        str | None, typer.Argument(help="The value; left out, it is read from standard input.")
    ] = None,
    secret: Annotated[
        bool, typer.Option("--secret", help="Never shown again; read from standard input.")
    ] = False,
    mine: Mine = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Keep a value, in place of any other of its name, from the next call or turn on."""
    if secret and value is not None:
        # What is typed on a command line is kept by shells and shown by `ps`.
        raise CommandError("give a secret on standard input")
    if value is None:
        value = _asked(name, secret=secret)
    body = {"value": value, "secret": secret, "scope": _scope(mine=mine)}
    with connected(home, url, key) as client:
        entry = client.fetch("PUT", f"/api/v1/variables/{name}", json=body)
    Terminal(as_json=as_json).result(entry, _line(entry))


@app.command("rm")
def remove(
    name: Name,
    mine: Mine = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Delete a variable: what names it fails from then on."""
    with connected(home, url, key) as client:
        query = {"scope": _scope(mine=mine)}
        client.call("DELETE", f"/api/v1/variables/{name}", params=query)
    Terminal(as_json=as_json).result({"name": name, "deleted": True}, f"deleted {name}")


def _asked(name: str, *, secret: bool) -> str:
    if sys.stdin.isatty():
        return typer.prompt(name, hide_input=secret)
    given = sys.stdin.read().rstrip("\r\n")
    if not given:
        raise CommandError("give the value on standard input")
    return given


def _scope(*, mine: bool) -> str:
    return "PERSON" if mine else "TENANT"


def _line(entry: dict[str, Any]) -> str:
    shown = "(secret)" if entry["secret"] else entry["value"]
    return f"{entry['name']:<32} {entry['scope']:<8} {shown}"
