"""`turnpike tenants`: the customers of a suite."""

from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List and create tenants; the first tenant's alone.")


@app.command("list")
def list_tenants(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List tenants, newest first."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for tenant in client.pages("/api/v1/tenants", "tenants"):
            terminal.result(tenant, f"{tenant['id']}  {tenant['slots']} slots  {tenant['name']}")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people; nobody else's.")],
    slots: Annotated[
        int, typer.Option(min=0, help="How many turns may run at once; 0 takes the default, 64.")
    ] = 0,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create a tenant, and show its id and its first admin's key, this once."""
    with connected(home, url, key) as client:
        made = client.fetch("POST", "/api/v1/tenants", json={"name": name, "slots": slots})
    Terminal(as_json=as_json).result(made, f"{made['tenant']['id']}  {made['key']}")
