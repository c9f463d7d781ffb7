"""`turnpike turns`: what runs, and what ran."""

from itertools import islice
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.conversation.fold import Fold
from turnpike.cli.conversation.following import follow
from turnpike.cli.conversation.transcript import Transcript
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, watch and cancel turns.")

Turn = Annotated[str, typer.Argument(help="The turn's id.")]


@app.command("list")
def list_turns(
    status: Annotated[str, typer.Option(help="Only those with this status.")] = "",
    agent: Annotated[str, typer.Option(help="Only those of this agent.")] = "",
    thread: Annotated[str, typer.Option(help="Only those of this thread.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List turns, newest first."""
    terminal = Terminal(as_json=as_json)
    wishes = {"status": status.upper(), "agent": agent, "thread": thread}
    query = {name: value for name, value in wishes.items() if value}
    with connected(home, url, key) as client:
        for turn in islice(client.pages("/api/v1/turns", "turns", **query), limit):
            terminal.result(
                turn,
                f"{turn['id']}  {turn['status']:<9}  {turn.get('created', '')}  "
                f"{turn.get('agent', '')}",
            )


@app.command()
def watch(
    turn: Turn,
    after: Annotated[int, typer.Option(min=0, help="Go on after this event.")] = 0,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Follow a turn to its end."""
    terminal = Terminal(as_json=as_json)
    fold = Fold(after)
    transcript = Transcript(fold, terminal)
    with connected(home, url, key) as client:
        for event in follow(client, turn, fold, terminal.progress):
            transcript.write(event)


@app.command()
def cancel(
    turn: Turn, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Cancel a turn; what it answered so far is kept."""
    with connected(home, url, key) as client:
        after = client.fetch("POST", f"/api/v1/turns/{turn}:cancel")
    Terminal(as_json=as_json).result(after, f"{after.get('id', turn)}  {after.get('status', '')}")
