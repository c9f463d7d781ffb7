"""`turnpike plans`: what is offered, what holds, and what a tenant has instead."""

from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List plans, and say which limits hold.")

Tenant = Annotated[str, typer.Argument(help="The tenant's id.")]


@app.command("list")
def list_plans(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List plans by name; `turnpike apply` changes them."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for plan in client.pages("/api/v1/plans", "plans"):
            terminal.result(plan, f"{plan['name']}  {plan['tier']}  {_limits(plan['limits'])}")


@app.command()
def limits(
    principal: Annotated[str, typer.Option(help="A person's id; by default, one's own.")] = "",
    tenant: Annotated[str, typer.Option(help="Another tenant's id.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show the limits that hold now, and the plan that they come from."""
    asked = {"principal": principal, "tenant": tenant}
    query = {name: value for name, value in asked.items() if value}
    with connected(home, url, key) as client:
        held = client.fetch("GET", "/api/v1/limits", params=query)
    plan = held["plan"] or "no plan"
    whose = " (personal)" if held["personal"] else ""
    Terminal(as_json=as_json).result(held, f"{plan}{whose}  {_limits(held['limits'])}")


@app.command()
def override(
    tenant: Tenant,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=NUMBER...",
            help="Limits such as slots=3 and monthly_limit_micro_usd=0; default_prices.input=N.",
        ),
    ],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Give a tenant limits instead of its plan's; what is not named is the plan's."""
    body = _overrides(values)
    with connected(home, url, key) as client:
        made = client.fetch("PUT", f"/api/v1/limits/{tenant}", json=body)
    Terminal(as_json=as_json).result(made, f"{made['tenant']}  {_limits(made['limits'])}")


@app.command()
def restore(
    tenant: Tenant, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Give a tenant its plan's limits again."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/limits/{tenant}")
    Terminal(as_json=as_json).result({"tenant": tenant, "restored": True}, f"restored {tenant}")


def _overrides(values: list[str]) -> dict[str, dict[str, int]]:
    """Returns the body that the words say; raises CommandError for a word that says nothing."""
    body: dict[str, dict[str, int]] = {"limits": {}, "default_prices": {}}
    for value in values:
        name, _, number = value.partition("=")
        if not number.isdecimal():
            raise CommandError(f"{value!r} is no NAME=NUMBER")
        part, _, rest = name.rpartition(".")
        body.setdefault(part or "limits", {})[rest] = int(number)
    return body


def _limits(limits: dict[str, Any]) -> str:
    given = [f"{name}={value}" for name, value in limits.items() if value is not None]
    return " ".join(given) or "no limits"
