"""`turnpike usage`: what was used, and what it cost."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

_KEYS = ("tenant", "principal", "agent", "model", "period")
_PERIODS = ("hour", "day", "month")
_COUNTS = ("entries", "input_tokens", "cached_tokens", "output_tokens")
_PARTS = {"default_priced": "default-priced", "estimated": "estimated", "own_key": "own key"}


def usage(
    by: Annotated[
        str, typer.Option(help="tenant, principal, agent, model, hour, day, month; with commas.")
    ] = "model",
    begins: Annotated[str, typer.Option("--from", help="RFC 3339; by default, this month.")] = "",
    ends: Annotated[str, typer.Option("--to", help="Before when; by default, now.")] = "",
    zone: Annotated[str, typer.Option("--tz", help="Where days and months begin.")] = "",
    tenant: Annotated[str, typer.Option(help="Another tenant, or - for all.")] = "",
    principal: Annotated[str, typer.Option(help="Only what was for this one.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show what was used and what it cost; with --json a row a line, the total last."""
    asked = {"from": begins, "to": ends, "tz": zone, "tenant": tenant, "principal": principal}
    query = {name: value for name, value in {"by": by, **asked}.items() if value}
    rows: list[dict[str, Any]] = []
    with connected(home, url, key) as client:
        while True:
            page = client.fetch("GET", "/api/v1/usage", params=query)
            rows += page["rows"]
            # So that the sums of later pages are of the same time.
            query |= {"page_token": page["next_page_token"], "from": page["from"], "to": page["to"]}
            if not page["next_page_token"]:
                break
    if as_json:
        terminal = Terminal(as_json=True)
        for row in rows:
            terminal.result(row, "")
        total = {"total": page["total"], "from": page["from"], "to": page["to"]}
        terminal.result(total, "")
    else:
        _show(rows, page, _columns(by))


def _columns(by: str) -> list[str]:
    names = {name.strip() for name in by.split(",")}
    return [name for name in _KEYS if name in names or (name == "period" and names & {*_PERIODS})]


def _show(rows: Sequence[dict[str, Any]], page: dict[str, Any], keys: Sequence[str]) -> None:
    table = Table(title=f"{page['from']} to {page['to']}", title_justify="left")
    cells = [_cells(row["sum"]) for row in rows]
    total = _cells(page["total"])
    for name in keys:
        table.add_column(name, overflow="fold")
    for number, name in enumerate((*_COUNTS, "US dollars")):
        # However narrow the terminal is, no number is cut.
        width = max(len(each[number]) for each in (*cells, total))
        table.add_column(name.replace("_", " "), justify="right", min_width=width)
    table.add_column("", overflow="fold")
    for row, sums in zip(rows, cells, strict=True):
        table.add_row(*(str(row[name]) for name in keys), *sums)
    table.add_section()
    table.add_row(*(["total"] + [""] * len(keys))[: len(keys)], *total)
    Console(soft_wrap=True).print(table)


def _cells(sum: dict[str, Any]) -> list[str]:
    parts = [
        f"{sum[part]['entries']} {name}" for part, name in _PARTS.items() if sum[part]["entries"]
    ]
    cost = f"{sum['cost_micro_usd'] / 1_000_000:.6f}"
    return [*(str(sum[name]) for name in _COUNTS), cost, ", ".join(parts)]
