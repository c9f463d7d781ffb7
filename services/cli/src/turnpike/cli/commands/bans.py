"""`turnpike bans`: who is kept out."""

from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, impose and lift bans.")

Platform = Annotated[bool, typer.Option("--platform", help="In every tenant.")]

_SUBJECTS = ("principal", "email", "domain", "key")


@app.command("list")
def list_bans(
    platform: Platform = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List bans, newest first, ended ones included."""
    terminal = Terminal(as_json=as_json)
    query = {"platform": "true"} if platform else {}
    with connected(home, url, key) as client:
        for ban in client.pages("/api/v1/bans", "bans", **query):
            kind = next((each for each in _SUBJECTS if ban.get(each)), "")
            until = ban.get("expires") or "for good"
            terminal.result(
                ban,
                f"{ban['id']}  {kind:<9}  {ban.get(kind, '')}  {until}  {ban.get('note', '')}",
            )


@app.command()
def create(
    principal: Annotated[str, typer.Option(help="A principal's id.")] = "",
    email: Annotated[str, typer.Option(help="An e-mail address.")] = "",
    domain: Annotated[str, typer.Option(help="A domain, with all below it.")] = "",
    api_key: Annotated[str, typer.Option(help="An API key's id.")] = "",
    note: Annotated[str, typer.Option(help="Why, for people.")] = "",
    expires: Annotated[str, typer.Option(help="When it ends, RFC 3339; never by default.")] = "",
    platform: Platform = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Keep somebody out: at once, and turns that run too."""
    wishes = {"principal": principal, "email": email, "domain": domain, "key": api_key}
    named = {name: value for name, value in wishes.items() if value}
    if len(named) != 1:
        raise CommandError("name one of --principal, --email, --domain and --api-key")
    body: dict[str, object] = {**named, "note": note, "platform": platform}
    if expires:
        body["expires"] = expires
    with connected(home, url, key) as client:
        ban = client.fetch("POST", "/api/v1/bans", json=body)
    Terminal(as_json=as_json).result(ban, str(ban.get("id", "")))


@app.command()
def lift(
    id: Annotated[str, typer.Argument(help="The ban's id, as `turnpike bans list` shows it.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Lift a ban, at once."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/bans/{id}")
    Terminal(as_json=as_json).result({"id": id, "lifted": True}, f"lifted {id}")
