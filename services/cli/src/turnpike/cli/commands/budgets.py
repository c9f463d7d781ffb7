"""`turnpike budgets`: what may be spent, and what is."""

from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, set and delete the tenant's budgets.")

Name = Annotated[
    str,
    typer.Argument(help="Whose and when: tenant.month, principal.ID.day, agent.NAME.total."),
]


@app.command("list")
def list_budgets(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List budgets by name, each with what is spent of it."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for budget in client.pages("/api/v1/budgets", "budgets"):
            terminal.result(budget, _line(budget))


@app.command("set")
def set_budget(
    name: Name,
    micro_usd: Annotated[int, typer.Argument(min=0, help="The limit in micro-dollars.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create a budget or change it; the next admission obeys it."""
    with connected(home, url, key) as client:
        budget = client.fetch("PUT", f"/api/v1/budgets/{name}", json={"limit_micro_usd": micro_usd})
    Terminal(as_json=as_json).result(budget, _line(budget))


@app.command()
def delete(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Delete a budget."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/budgets/{name}")
    Terminal(as_json=as_json).result({"name": name, "deleted": True}, f"deleted {name}")


def _line(budget: dict[str, Any]) -> str:
    spent, limit = budget["spent_micro_usd"], budget["limit_micro_usd"]
    until = f"  until {budget['resets']}" if budget.get("resets") else ""
    return f"{budget['name']}  {spent} of {limit} micro-dollars{until}"
