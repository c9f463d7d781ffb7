"""`turnpike approve`: what turns ask of you, and what you decide."""

from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.conversation.asking import asked_at_terminal, decisions_of, lines_of
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="See what turns wait for, and decide it.")

Approval = Annotated[str, typer.Argument(help="Its id, of `turnpike approve list`.")]


@app.command("list")
def list_approvals(
    mine: Annotated[bool, typer.Option("--mine", help="Only what you may decide.")] = False,
    status: Annotated[str, typer.Option(help="PENDING, DECIDED, EXPIRED, CANCELLED.")] = "PENDING",
    thread: Annotated[str, typer.Option(help="Only of this thread.")] = "",
    agent: Annotated[str, typer.Option(help="Only of this agent.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List what turns wait for, newest first."""
    terminal = Terminal(as_json=as_json)
    given = {"status": status, "thread": thread, "agent": agent, "mine": "true" if mine else ""}
    query = {name: value for name, value in given.items() if value}
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/approvals", "approvals", **query):
            terminal.result(each, _line(each))


@app.command()
def show(
    approval: Approval,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show what is asked, and what was decided."""
    with connected(home, url, key) as client:
        found = client.fetch("GET", f"/api/v1/approvals/{approval}")
    Terminal(as_json=as_json).result(found, "\n".join([_line(found), *lines_of(found)]))


@app.command()
def decide(
    approval: Approval,
    said: Annotated[
        list[str] | None,
        typer.Argument(
            help="KIND[:TEXT] for every call, or CALL=KIND[:TEXT] for one: approve,"
            " 'reject:not today', 'edit:{\"path\": \"/tmp\"}'. You are asked without any."
        ),
    ] = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Decide: the turn goes on."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        path = f"/api/v1/approvals/{approval}"
        asked = client.fetch("GET", path)
        if said:
            decisions = decisions_of(asked, said)
        else:
            terminal.progress("\n".join(lines_of(asked)))
            decisions = asked_at_terminal(asked, input)
        decided = client.fetch("POST", f"{path}:decide", json={"decisions": decisions})
    terminal.result(decided, _line(decided))


def _line(approval: dict[str, Any]) -> str:
    names = ", ".join(dict.fromkeys(call["name"] for call in approval["calls"]))
    until = approval["decided_at"] or f"until {approval['expires']}"
    return f"{approval['id']}  {approval['status']:<9} {approval['agent']:<20} {names}  {until}"
