"""`turnpike approve`: what turns ask of you, and what you decide."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.conversation.asking import asked_at_terminal, decisions_of, lines_of
from turnpike.cli.conversation.inbox import arrivals
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="See what turns wait for, and decide it.")

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no span of time such as 90s, 15m, 2h or 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Approval = Annotated[str, typer.Argument(help="Its id, of `turnpike approve list`.")]


Mine = Annotated[bool, typer.Option("--mine", help="Only what you may decide.")]
Thread = Annotated[str, typer.Option(help="Only of this thread.")]
Agent = Annotated[str, typer.Option(help="Only of this agent.")]
Tool = Annotated[str, typer.Option(help="Only of this connector/tool; * is any.")]
Requester = Annotated[str, typer.Option(help="Only of turns that this principal started.")]
Older = Annotated[
    timedelta | None,
    typer.Option(
        parser=_span, metavar="SPAN", help="Only what waits for so long: 90s, 15m, 2h, 3d."
    ),
]
Expiring = Annotated[
    timedelta | None,
    typer.Option(parser=_span, metavar="SPAN", help="Only what expires within this: 90s, 15m, 2h."),
]


@app.command("list")
def list_approvals(
    mine: Mine = False,
    status: Annotated[
        str, typer.Option(help="PENDING, DECIDED, EXPIRED, CANCELLED; several with commas.")
    ] = "PENDING",
    thread: Thread = "",
    agent: Agent = "",
    tool: Tool = "",
    requester: Requester = "",
    older_than: Older = None,
    expires_within: Expiring = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List what turns wait for, newest first."""
    terminal = Terminal(as_json=as_json)
    wanted = {"status": status.upper(), "thread": thread, "agent": agent, "tool": tool}
    wanted |= {"requester": requester, "mine": "true" if mine else ""}
    wanted |= {"created_before": _from_now(-older_than) if older_than else ""}
    wanted |= {"expires_before": _from_now(expires_within) if expires_within else ""}
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/approvals", "approvals", **_given(wanted)):
            terminal.result(each, _line(each))


@app.command()
def watch(
    mine: Mine = False,
    thread: Thread = "",
    agent: Agent = "",
    tool: Tool = "",
    requester: Requester = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show what waits, and then what comes, until Ctrl-C."""
    terminal = Terminal(as_json=as_json)
    wanted = {"thread": thread, "agent": agent, "tool": tool, "requester": requester}
    wanted |= {"mine": "true" if mine else ""}
    with connected(home, url, key) as client:
        for each in arrivals(client, _given(wanted), terminal.progress):
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


def _given(wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if value}


def _from_now(span: timedelta) -> str:
    return (datetime.now(UTC) + span).isoformat()
