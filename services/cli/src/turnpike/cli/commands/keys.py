"""`turnpike keys`: who may use the suite."""

from enum import StrEnum
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, create, rotate and revoke API keys.")


class Role(StrEnum):
    """What a key's holder may do."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Scope(StrEnum):
    """What a key opens of what its role allows."""

    TURNS = "turns"
    READ = "read"
    ADMIN = "admin"
    USAGE = "usage"


@app.command("list")
def list_keys(home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False) -> None:
    """List the tenant's API keys; the keys themselves are not kept."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for entry in client.pages("/api/v1/keys", "keys"):
            state = "revoked" if entry.get("revoked") else "valid"
            used = entry.get("last_used") or "never used"
            terminal.result(
                entry,
                f"{entry['id']}  {entry.get('prefix', ''):<10}…  {entry.get('role', ''):<7}  "
                f"{state:<7}  {used:<27}  {entry.get('name', '')}",
            )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    role: Annotated[
        Role | None, typer.Option(help="What its own service account may do; member by default.")
    ] = None,
    principal: Annotated[str, typer.Option(help="Whose key it is; one of its own else.")] = "",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="Open this only; may be repeated.")
    ] = None,
    expires: Annotated[str, typer.Option(help="When it ends, RFC 3339; never by default.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create an API key, and show it this once."""
    body: dict[str, object] = {"name": name, "scopes": [each.value.upper() for each in scope or ()]}
    if principal:
        body["principal"] = principal
    if role or not principal:
        body["role"] = (role or Role.MEMBER).value.upper()
    if expires:
        body["expires"] = expires
    with connected(home, url, key) as client:
        entry = client.fetch("POST", "/api/v1/keys", json=body)
    Terminal(as_json=as_json).result(entry, str(entry.get("key", "")))


@app.command()
def rotate(
    id: Annotated[str, typer.Argument(help="The key's id, as `turnpike keys list` shows it.")],
    overlap: Annotated[
        int, typer.Option(min=0, help="How many seconds the old secret works yet.")
    ] = 86_400,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Give an API key a new secret, and show it this once."""
    with connected(home, url, key) as client:
        path = f"/api/v1/keys/{id}:rotate"
        entry = client.fetch("POST", path, json={"overlap_seconds": overlap})
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
