"""`turnpike models`: what may be asked, and whether it answers."""

from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List models, and test whether they answer.")


@app.command("list")
def list_models(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List models: one's own, the tenant's, and the platform's."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for model in client.pages("/api/v1/models", "models"):
            terminal.result(model, _line(model))


@app.command()
def test(
    name: Annotated[str, typer.Argument(help="A model, or a pool.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Ask a model for a word, or each member of a pool; the provider bills it."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        probes = client.fetch("POST", f"/api/v1/models/{name}:test")["probes"]
    for probe in probes:
        terminal.result(probe, _outcome(probe))
    if any(probe["reason"] for probe in probes):
        raise typer.Exit(1)


def _line(model: dict[str, Any]) -> str:
    what = model["model"] or ", ".join(member["model"] for member in model["members"])
    return (
        f"{model['name']:<24} {model['scope']:<8} {model['role']:<9} {model['provider']:<12} {what}"
    )


def _outcome(probe: dict[str, Any]) -> str:
    if probe["reason"]:
        return f"{probe['model']}: {probe['reason']}: {probe['message']}"
    paid = ", by a key of one's own" if probe["own_key"] else ""
    return f"{probe['model']}: answers, first word after {probe['first_event_ms']} ms{paid}"
