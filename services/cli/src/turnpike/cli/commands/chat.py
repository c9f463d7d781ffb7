"""`turnpike chat`: talk to an agent."""

import sys
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.conversation.conversation import Conversation
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal


def chat(
    agent: Annotated[str, typer.Argument(help="The agent's name.")] = "default",
    message: Annotated[
        str, typer.Argument(help="What to say; stdin's content, or a conversation, by default.")
    ] = "",
    thread: Annotated[str, typer.Option(help="Go on with this thread.")] = "",
    time_zone: Annotated[str, typer.Option(help="Yours, such as Europe/Berlin.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Talk to an agent: its answer as it comes, and the tools that it calls."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        conversation = Conversation(client, agent, thread, terminal, time_zone)
        if message or not sys.stdin.isatty():
            _ask_once(conversation, message or sys.stdin.read())
        else:
            _converse(conversation, agent)


def _ask_once(conversation: Conversation, message: str) -> None:
    if not message.strip():
        raise CommandError("there is nothing to say: give a message, or write it to stdin")
    if conversation.say(message) != "COMPLETED":
        raise typer.Exit(1)


def _converse(conversation: Conversation, agent: str) -> None:
    typer.echo(f"talking to {agent}; Ctrl-C cancels an answer, Ctrl-D ends", err=True)
    while True:
        try:
            message = input("> ")
        except (EOFError, KeyboardInterrupt):
            typer.echo("", err=True)
            return
        if message.strip():
            conversation.say(message)
