"""`turnpike keys`: who may use the suite."""

from enum import StrEnum
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, create and revoke API keys.")


class Role(StrEnum):
    """What a key's holder may do."""

    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


@app.command("list")
def list_keys(home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False) -> None:
    """List the tenant's API keys; the keys themselves are not kept."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for entry in client.pages("/api/v1/keys", "keys"):
            state = "revoked" if entry.get("revoked") else "valid"
            terminal.result(
                entry,
                f"{entry['id']}  {entry.get('role', ''):<7}  {state:<7}  {entry.get('name', '')}",
            )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    role: Annotated[Role, typer.Option(help="What its holder may do.")] = Role.MEMBER,
    expires: Annotated[str, typer.Option(help="When it ends, RFC 3339; never by default.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create an API key, and show it this once."""
    body = {"name": name, "role": role.value.upper(), **({"expires": expires} if expires else {})}
    with connected(home, url, key) as client:
        entry = client.fetch("POST", "/api/v1/keys", json=body)
    Terminal(as_json=as_json).result(entry, str(entry.get("key", "")))


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `turnpike keys list` shows it.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Revoke an API key: within a second, for turns that run too."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/keys/{id}")
    Terminal(as_json=as_json).result({"id": id, "revoked": True}, f"revoked {id}")
