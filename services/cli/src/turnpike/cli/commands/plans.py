"""`turnpike plans`: what is offered, and what holds."""

from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List plans, and show which limits hold.")


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


def _limits(limits: dict[str, Any]) -> str:
    given = [f"{name}={value}" for name, value in limits.items() if value is not None]
    return " ".join(given) or "no limits"
