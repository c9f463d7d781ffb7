"""`turnpike docs sources`: what feeds collections from connectors."""

import time
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Feed collections from connectors' resources.")

Name = Annotated[str, typer.Argument(help="The source's name.")]
Wait = Annotated[bool, typer.Option(help="Until it has run.")]

_POLL_SECONDS = 0.5
_OVER = ("SUCCEEDED", "PARTIAL", "FAILED")
_COUNTS = ("added", "changed", "unchanged", "removed", "failed", "skipped")


@app.command()
def put(
    name: Name,
    collection: Annotated[str, typer.Option(help="The collection that it feeds.")],
    connector: Annotated[str, typer.Option(help="The connector that it reads.")],
    folder: Annotated[str, typer.Option(help="The folder that it owns; /NAME without.")] = "",
    include: Annotated[list[str] | None, typer.Option(help="URIs to read: file:*.md")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="URIs not to read.")] = None,
    uri: Annotated[list[str] | None, typer.Option(help="Read this beside the list.")] = None,
    every: Annotated[int, typer.Option(min=60, help="Seconds between runs.")] = 86_400,
    paused: Annotated[bool, typer.Option("--paused", help="Run only when asked to.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also documents that somebody else changed.")
    ] = False,
    wait: Wait = True,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Make a source, or change it; then it runs, unless it is paused."""
    body = {
        "collection": collection,
        "connector": connector,
        "folder": folder,
        "include": include or [],
        "exclude": exclude or [],
        "uris": uri or [],
        "interval_seconds": every,
        "paused": paused,
        "on_edit": "OVERWRITE" if overwrite else "KEEP",
    }
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        made = client.fetch("PUT", f"/api/v1/sources/{name}", json=body)
        waited = made["last_run"] if wait else None
        if waited is not None and waited["state"] not in _OVER:
            made["last_run"] = _ended(client, name, waited["id"])
        terminal.result(made, _line(made))
    _require_success(made["last_run"] if wait else None)


@app.command("list")
def list_sources(
    collection: Annotated[str, typer.Argument(help="Those that feed it; all without.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List sources, and how their newest runs ended."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/sources", "sources", collection=collection):
            terminal.result(each, _line(each))


@app.command()
def run(
    name: Name,
    anew: Annotated[bool, typer.Option("--anew", help="Also what seems to be as before.")] = False,
    wait: Wait = True,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Have a source run now."""
    with connected(home, url, key) as client:
        begun = client.fetch("POST", f"/api/v1/sources/{name}:run", json={"anew": anew})
        ended = _ended(client, name, begun["id"]) if wait else begun
    Terminal(as_json=as_json).result(ended, _told(ended))
    _require_success(ended if wait else None)


@app.command()
def runs(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List a source's runs, the newest first."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in client.pages(f"/api/v1/sources/{name}/runs", "runs"):
            terminal.result(each, f"{each['id']:<8} {each['created']}  {_told(each)}")


@app.command()
def items(
    name: Name,
    state: Annotated[str, typer.Option(help="OK, FAILED, SKIPPED or REMOVED.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List how each of a source's items fares."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        path = f"/api/v1/sources/{name}/items"
        for each in client.pages(path, "items", state=state.upper()):
            why = f"{each['reason']} {each['detail']}".strip()
            terminal.result(each, f"{each['state']:<8} {each['uri']:<48} {why}".rstrip())


@app.command()
def rm(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Delete a source; its documents stay."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/sources/{name}")
    Terminal(as_json=as_json).result({"name": name, "deleted": True}, f"{name}  deleted")


def _ended(client: GatewayClient, name: str, number: int) -> dict[str, Any]:
    """Returns a run when it is over."""
    while True:
        for each in client.pages(f"/api/v1/sources/{name}/runs", "runs"):
            if each["id"] == number and each["state"] in _OVER:
                return each
            if each["id"] <= number:
                break
        time.sleep(_POLL_SECONDS)


def _line(source: dict[str, Any]) -> str:
    last = _told(source["last_run"]) if source["last_run"] else "has not run"
    where = f"{source['collection']}:{source['folder']}"
    return f"{source['name']:<24} {source['connector']:<20} {where:<32} {last}"


def _told(found: dict[str, Any]) -> str:
    counts = ", ".join(f"{found[name]} {name}" for name in _COUNTS if found[name])
    why = f"{found['reason']} {found['detail']}".strip()
    return "  ".join(part for part in (found["state"], counts, why) if part)


def _require_success(ended: dict[str, Any] | None) -> None:
    if ended is None:
        return
    if ended["state"] == "FAILED":
        raise CommandError(f"{ended['reason']}: {ended['detail']}")
    if ended["failed"]:
        raise CommandError(f"{ended['failed']} of {ended['listed']} failed; see `items`")
