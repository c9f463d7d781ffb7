"""`turnpike audit`: what was said, decided and done, and whether it is all still there."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from turnpike.cli.audit.chain import head_of, verify
from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Export the audit, and check that it is whole.")

_EXPORT = "/api/v1/audit:export"


@app.command("list")
def list_entries(
    turn: Annotated[str, typer.Option(help="Only what is about this turn.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List entries, in the order of the chain."""
    terminal = Terminal(as_json=as_json)
    query = {"turn": turn} if turn else {}
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/audit", "entries", **query):
            terminal.result(each, _line(each))


@app.command()
def export(
    after: Annotated[int, typer.Option(min=0, help="Only what comes after this position.")] = 0,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
) -> None:
    """Write the audit to standard output: one JSON object a line."""
    with (
        connected(home, url, key) as client,
        client.stream("GET", _EXPORT, params={"after": after}) as response,
    ):
        for part in response.iter_bytes():
            sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


@app.command("verify")
def verify_audit(
    file: Annotated[
        Path | None, typer.Argument(help="An export from the beginning; asks the suite else.")
    ] = None,
    head: Annotated[str, typer.Option(help="POSITION:HASH, as it was told before.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Check that nothing was changed, removed, added or moved since it was recorded."""
    try:
        known = head_of(head) if head else None
    except ValueError as error:
        raise CommandError(str(error)) from error
    with _opened(file, lambda: connected(home, url, key)) as lines:
        report = verify(lines, known=known)
    if report.faults:
        raise CommandError("the audit is not whole: " + "; ".join(report.faults[:20]))
    sealed = report.head.position - report.begins.position
    told = {
        "head": str(report.head),
        "begins": str(report.begins) if report.begins.position else "",
        "sealed": sealed,
        "unsealed": report.unsealed,
    }
    text = f"whole: {sealed} entries, {report.unsealed} not sealed yet"
    if report.begins.position:
        text += f"\nbegins after {report.begins}; what was before is deleted"
    Terminal(as_json=as_json).result(told, f"{text}\nhead {report.head}")


@contextmanager
def _opened(file: Path | None, connect: Any) -> Generator[Iterator[bytes | str]]:
    if file is not None:
        try:
            with file.open("rb") as opened:
                yield iter(opened)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        return
    with connect() as client, client.stream("GET", _EXPORT) as response:
        yield response.iter_lines()


def _line(recorded: dict[str, Any]) -> str:
    entry = recorded["entry"] or {}
    about = entry.get("tool") or entry.get("scope") or ""
    said = entry.get("outcome") or entry.get("decision") or ""
    return (
        f"{recorded['position'] or '-':>8}  {entry.get('time', 'gone'):<27} "
        f"{entry.get('kind', ''):<15} {about} {said}".rstrip()
    )
