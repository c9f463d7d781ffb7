"""`turnpike issuers`: whose tokens open a tenant to people."""

from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(
    no_args_is_help=True, help="List and delete issuers; `turnpike apply` makes and changes them."
)


@app.command("list")
def list_issuers(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List the tenant's issuers by name."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/issuers", "issuers"):
            algorithms = ",".join(each["algorithms"])
            line = f"{each['name']}  {each['issuer']}  for {each['audience']}  {algorithms}"
            terminal.result(each, line)


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Its name, as `turnpike issuers list` shows it.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Delete an issuer: its tokens open nothing any more; who came by it stays known."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/issuers/{name}")
    Terminal(as_json=as_json).result({"name": name, "deleted": True}, f"deleted {name}")
