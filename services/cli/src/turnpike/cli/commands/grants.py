"""`turnpike grants`: standing approvals, and taking them back."""

from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="See standing approvals of tools, and revoke them.")


@app.command("list")
def list_grants(
    show_ended: Annotated[bool, typer.Option("--all", help="Those that ended, too.")] = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List your grants, newest first; an admin sees everybody's."""
    terminal = Terminal(as_json=as_json)
    query = {"show_ended": "true"} if show_ended else {}
    with connected(home, url, key) as client:
        for grant in client.pages("/api/v1/grants", "grants", **query):
            terminal.result(grant, _line(grant))


@app.command()
def revoke(
    grant: Annotated[str, typer.Argument(help="Its id, of `turnpike grants list`.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Revoke a grant: no call that is judged after this runs by it."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/grants/{grant}")
    Terminal(as_json=as_json).result({"id": grant, "revoked": True}, f"revoked {grant}")


def _line(grant: dict[str, Any]) -> str:
    until = f"revoked {grant['revoked']}" if grant["revoked"] else grant["expires"] or "for ever"
    return f"{grant['id']}  {grant['tool']:<32} {until}"
