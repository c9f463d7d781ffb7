"""`turnpike byok`: keys of one's own at model providers."""

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Bring keys of one's own for model providers.")


class Whose(StrEnum):
    """Whose a key is."""

    TENANT = "tenant"
    PERSON = "person"


class Mode(StrEnum):
    """Whether keys of one's own are used."""

    OFF = "off"
    PREFERRED = "preferred"
    REQUIRED = "required"


Scope = Annotated[Whose, typer.Option("--scope", help="The tenant's, or one's own alone.")]
Name = Annotated[str, typer.Argument(help="The key's name.")]


@app.command("list")
def list_keys(home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False) -> None:
    """List one's own keys and the tenant's, and whether they are used; never the secrets."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for whose in Whose:
            mode = client.fetch("GET", f"/api/v1/own-keys/{whose.value}")
            terminal.result(mode, f"{whose.value:<8} keys: {mode['mode']}")
        for entry in client.pages("/api/v1/provider-keys", "provider_keys"):
            terminal.result(entry, _line(entry))


@app.command("set")
def set_key(
    name: Name,
    provider: Annotated[str, typer.Option(help="Whom it is for, as models name it.")],
    base_url: Annotated[
        str, typer.Option(help="The endpoint that it is for; the provider's own else.")
    ] = "",
    scope: Scope = Whose.TENANT,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Keep a key, read from standard input, in place of any other of its name."""
    secret = sys.stdin.readline().strip()
    if not secret:
        raise CommandError("give the key on standard input")
    body = {
        "provider": provider,
        "base_url": base_url,
        "api_key": secret,
        "scope": scope.value.upper(),
    }
    with connected(home, url, key) as client:
        entry = client.fetch("PUT", f"/api/v1/provider-keys/{name}", json=body)
    Terminal(as_json=as_json).result(entry, _line(entry))


@app.command()
def delete(
    name: Name,
    scope: Scope = Whose.TENANT,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Delete a key: no call that begins after this uses it."""
    with connected(home, url, key) as client:
        query = {"scope": scope.value.upper()}
        client.call("DELETE", f"/api/v1/provider-keys/{name}", params=query)
    Terminal(as_json=as_json).result({"name": name, "deleted": True}, f"deleted {name}")


@app.command()
def mode(
    mode: Annotated[
        Mode,
        typer.Argument(
            help="Use no key of one's own; use them first; or use nothing else, whatever fails."
        ),
    ],
    scope: Scope = Whose.TENANT,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Say whether keys of one's own are used: from the next call on."""
    with connected(home, url, key) as client:
        path = f"/api/v1/own-keys/{scope.value}"
        said = client.fetch("PUT", path, json={"mode": mode.value.upper()})
    Terminal(as_json=as_json).result(said, f"{scope.value} keys: {said['mode']}")


def _line(entry: dict[str, Any]) -> str:
    where = entry["base_url"] or "its own endpoint"
    return f"{entry['name']:<24} {entry['scope']:<8} {entry['provider']:<12} {where}"
