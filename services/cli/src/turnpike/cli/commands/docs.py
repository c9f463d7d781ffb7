"""`turnpike docs`: collections of documents, what is in them, and what was."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from turnpike.cli.commands import migrations, sources
from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway import uploads
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.progress import Progress
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Keep documents, and take back what became of them.")
app.add_typer(migrations.app, name="migrate")
app.add_typer(sources.app, name="sources")

Collection = Annotated[str, typer.Argument(help="The collection's name.")]
Place = Annotated[str, typer.Argument(help="/contracts/2026/lease.md")]
Force = Annotated[bool, typer.Option(help="Also what was edited since.")]
_SUMMARY_SECONDS = 600


@app.command()
def create(
    collection: Collection,
    language: Annotated[str, typer.Option(help="english, german, simple …")] = "simple",
    model: Annotated[str, typer.Option(help="The embedding model.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create a collection."""
    body = {"name": collection, "language": language, "model": model}
    with connected(home, url, key) as client:
        made = client.fetch("POST", "/api/v1/collections", json=body)
    Terminal(as_json=as_json).result(made, f"{made['name']}  {made['language']}  {made['model']}")


@app.command()
def put(
    collection: Collection,
    files: Annotated[list[Path], typer.Argument(exists=True, help="Files, and folders of them.")],
    to: Annotated[str, typer.Option(help="The folder that they go to.")] = "/",
    wait: Annotated[bool, typer.Option(help="Until searches find them.")] = True,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Write files as documents, and wait until searches find them."""
    terminal = Terminal(as_json=as_json)
    refused = failed = 0
    found = [pair for given in files for pair in uploads.found(given, to)]
    with connected(home, url, key) as client, Progress(len(found), is_shown=not as_json) as bars:
        for file, place in found:
            bars.begin(place)
            try:
                written = uploads.sent(client, file, _path(collection, place), bars.tell)
            except uploads.FileError as error:
                # The others are none the worse for it.
                terminal.error(str(error), file=str(file), reason=error.reason)
                refused += 1
                continue
            document = written["document"]
            if wait:
                document["indexing"] = _indexed(client, collection, place, bars)
            failed += (document["indexing"] or {}).get("state") == "FAILED"
            terminal.result(written, _line(document))
            bars.end()
    _require_all(len(found), refused=refused, failed=failed)


@app.command("list")
def list_documents(
    collection: Annotated[str, typer.Argument(help="Its name; all collections without.")] = "",
    folder: Annotated[str, typer.Option(help="What is in it, and below.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List collections, or the documents of one."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        if not collection:
            for each in client.pages("/api/v1/collections", "collections"):
                terminal.result(each, f"{each['name']:<32} {each['language']:<10} {each['model']}")
            return
        path = f"/api/v1/collections/{collection}/documents"
        for each in client.pages(path, "documents", folder=folder):
            terminal.result(each, _line(each))


@app.command()
def get(
    collection: Collection,
    path: Place,
    revision: Annotated[int, typer.Option(help="Not the newest one.")] = 0,
    original: Annotated[Path | None, typer.Option(help="Write its original here.")] = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show a document's text, or write its original to a file."""
    params = {"revision": str(revision)}
    with connected(home, url, key) as client:
        if original is not None:
            response = client.call("GET", f"{_path(collection, path)}:original", params=params)
            original.write_bytes(response.content)
            return
        params["max_characters"] = "1000000"
        found = client.fetch("GET", f"{_path(collection, path)}:read", params=params)
    Terminal(as_json=as_json).result(found, found["text"].removesuffix("\n"))


@app.command()
def summarize(
    collection: Collection,
    path: Place,
    words: Annotated[int, typer.Option(min=1, max=1000, help="About how long.")] = 200,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Summarize a document by the planner model; the same text is paid for once."""
    with connected(home, url, key) as client:
        where = f"{_path(collection, path)}:summarize"
        made = client.fetch("POST", where, json={"words": words}, timeout=_SUMMARY_SECONDS)
    Terminal(as_json=as_json).result(made, made["summary"])


@app.command()
def rm(
    collection: Collection,
    path: Place,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="A folder.")] = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Delete a document, or a folder with everything in it; `revert` takes it back."""
    with connected(home, url, key) as client:
        if recursive:
            where = _path(collection, path, "folders")
            done = client.fetch("DELETE", where, params={"recursive": "true"})
        else:
            done = client.fetch("DELETE", _path(collection, path))
    _tell(Terminal(as_json=as_json), done["change"])


@app.command()
def mv(
    collection: Collection,
    path: Place,
    new_path: Place,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Move a document, or a folder with everything in it."""
    with connected(home, url, key) as client:
        done = client.fetch("POST", f"{_path(collection, path)}:move", json={"path": new_path})
    _tell(Terminal(as_json=as_json), done["change"])


@app.command()
def history(
    collection: Collection,
    path: Annotated[str, typer.Argument(help="A document's; the whole collection's without.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List what was done, the newest first, with the numbers that `revert` takes."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        if path:
            for each in client.pages(f"{_path(collection, path)}:revisions", "revisions"):
                where = each["path"] or "deleted"
                change = each["change"]
                terminal.result(
                    each,
                    f"revision {each['number']:<5} change {change['id']:<8}"
                    f" {change['kind']:<14} {change['time']}  {where}",
                )
            return
        for each in client.pages("/api/v1/changes", "changes", collection=collection):
            _tell(terminal, each)


@app.command()
def revert(
    collection: Annotated[str, typer.Argument(help="Its name; needed but for a turn.")] = "",
    path: Annotated[str, typer.Argument(help="A document.")] = "",
    revision: Annotated[int, typer.Option(help="What the document is to be again.")] = 0,
    change: Annotated[int, typer.Option(help="Take this change back.")] = 0,
    turn: Annotated[str, typer.Option(help="Take back all that a turn did.")] = "",
    folder: Annotated[str, typer.Option(help="Take back what was done in it, since a time.")] = "",
    since: Annotated[str, typer.Option(help="2026-11-21T09:00:00Z")] = "",
    force: Force = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Take back: a document to a revision, or the changes of a turn or a folder, or one."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        if path:
            where = _path(collection, path)
            now = client.fetch("GET", where)["revision"]
            body = {"revision": revision, "expected_revision": now, "force": force}
            written = client.fetch("POST", f"{where}:revert", json=body)
            terminal.result(written, _line(written["document"]))
            return
        asked = {
            "collection": collection,
            "turn": turn,
            "change": change,
            "folder": folder,
            "force": force,
            **({"since": since} if since else {}),
        }
        reversals = client.fetch("POST", "/api/v1/changes:revert", json=asked)["reversals"]
    left = 0
    for each in reversals:
        left += each["outcome"] not in ("REVERTED", "UNCHANGED")
        terminal.result(each, f"{each['outcome']:<14} {_told(each['change'])}")
    if left:
        raise CommandError(f"{left} of {len(reversals)} were left alone; --force takes them too")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="In your own words; days too: last week.")],
    collection: Annotated[list[str] | None, typer.Option(help="Where; all without.")] = None,
    folder: Annotated[str, typer.Option(help="In it, and below.")] = "",
    since: Annotated[str, typer.Option(help="The first day of the last change.")] = "",
    until: Annotated[str, typer.Option(help="The last such day.")] = "",
    time_zone: Annotated[str, typer.Option(help="Of these days: Europe/Berlin.")] = "UTC",
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    plan: Annotated[bool, typer.Option(help="Have the planner model word it anew too.")] = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Find parts of documents, by meaning and by words."""
    terminal = Terminal(as_json=as_json)
    asked = {"collections": collection or [], "folder": folder, "time_zone": time_zone}
    asked |= {"since": since, "until": until}
    body = {"query": query, "filter": asked, "limit": limit, "read_time": True, "plan": plan}
    with connected(home, url, key) as client:
        for each in client.fetch("POST", "/api/v1/search", json=body)["results"]:
            where = f"{each['collection']}:{each['path']}:{each['first_line']}"
            terminal.result(each, f"{where}\n  {' '.join(each['text'].split())[:200]}")


def _indexed(
    client: GatewayClient, collection: str, place: str, bars: Progress
) -> dict[str, Any] | None:
    """Returns how a document's indexing ended."""
    indexing = None
    with client.stream("GET", f"{_path(collection, place)}:status") as response:
        for line in response.iter_lines():
            if line.startswith("data:"):
                indexing = json.loads(line.removeprefix("data:"))
                bars.tell(indexing["state"], indexing["done"], indexing["total"])
    return indexing


def _path(collection: str, place: str, kind: str = "documents") -> str:
    return f"/api/v1/collections/{collection}/{kind}/{quote(place.strip('/'))}"


def _require_all(files: int, *, refused: int, failed: int) -> None:
    counts = {"were not written": refused, "cannot be searched": failed}
    told = [f"{count} of {files} {what}" for what, count in counts.items() if count]
    if told:
        raise CommandError(", ".join(told))
    if not files:
        raise CommandError("there are no files; what begins with a dot is left out")


def _line(document: dict[str, Any]) -> str:
    indexing = document["indexing"] or {}
    state = f"{indexing.get('state', '')} {indexing.get('reason', '')}".strip()
    if indexing.get("detail"):
        state += f": {indexing['detail']}"
    return f"{document['path']:<48} revision {document['revision']:<5} {state}"


def _tell(terminal: Terminal, change: dict[str, Any]) -> None:
    terminal.result(change, _told(change) if change["id"] else "nothing to do")


def _told(change: dict[str, Any]) -> str:
    places = [each["path"] or each["old_path"] for each in change["documents"]]
    touched = places + change["folders_made"] + change["folders_removed"]
    return (
        f"change {change['id']:<8} {change['kind']:<14} {change['time']}  {' '.join(touched[:5])}"
    )
