"""`turnpike sessions`: what providers' caches had of each conversation, and missed."""

from itertools import islice
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal


def sessions(
    thread: Annotated[str, typer.Option(help="Only the one of this thread.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List the prefix ledger's sessions, the last used first; for admins."""
    terminal = Terminal(as_json=as_json)
    query = {"thread": thread} if thread else {}
    with connected(home, url, key) as client:
        for session in islice(client.pages("/admin/sessions", "sessions", **query), limit):
            terminal.result(session, _line(session))


def _line(session: dict[str, Any]) -> str:
    cached = session["cached_tokens"]
    line = (
        f"{session['session']:<36}  {session['model']:<16}  epoch {session['epoch']}"
        f"  {session['context_tokens']} tokens, {'?' if cached is None else cached} cached of"
        f" {session['predicted_tokens']}  {session['hit_share']:.0%} in all"
    )
    if not session["last_miss"]:
        return line
    where = session["difference"]
    at = f" at element {where['element']}, byte {where['offset']}" if where else ""
    return f"{line}  last miss {session['last_miss']}{at}"
