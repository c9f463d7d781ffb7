"""`turnpike principals`: the persons and service accounts of a tenant."""

from enum import StrEnum
from typing import Annotated

import typer

from turnpike.cli.commands.keys import Role
from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, create, change and remove principals.")

Id = Annotated[str, typer.Argument(help="The id, as `turnpike principals list` shows it.")]


class Kind(StrEnum):
    """What a principal is."""

    PERSON = "person"
    SERVICE = "service"


@app.command("list")
def list_principals(
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List principals, newest first."""
    terminal = Terminal(as_json=as_json)
    query = {"kind": kind.value.upper()} if kind else {}
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/principals", "principals", **query):
            terminal.result(
                each,
                f"{each['id']}  {each.get('kind', ''):<7}  {each.get('role', ''):<6}  "
                f"{each.get('name', '')}  {each.get('email', '')}",
            )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.MEMBER,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create a service account; `turnpike keys create --principal` gives it a key."""
    with connected(home, url, key) as client:
        body = {"name": name, "role": role.value.upper()}
        made = client.fetch("POST", "/api/v1/principals", json=body)
    Terminal(as_json=as_json).result(made, str(made.get("id", "")))


@app.command("set-role")
def set_role(
    id: Id,
    role: Annotated[Role, typer.Argument(help="What it may do from now on.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Give a principal another role: everywhere within a second."""
    with connected(home, url, key) as client:
        path, body = f"/api/v1/principals/{id}", {"role": role.value.upper()}
        after = client.fetch("PATCH", path, json=body)
    Terminal(as_json=as_json).result(after, f"{id}  {after.get('role', '')}")


@app.command()
def remove(
    id: Id, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Remove a principal for good, with its keys."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/principals/{id}")
    Terminal(as_json=as_json).result({"id": id, "removed": True}, f"removed {id}")
