"""`turnpike refusals`: who was not let in, and why."""

from itertools import islice
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal


def refusals(
    reason: Annotated[str, typer.Option(help="Only these, such as BUDGET_EXHAUSTED.")] = "",
    principal: Annotated[str, typer.Option(help="Only those of this one.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List what was refused at admission in the last 30 days, newest first."""
    terminal = Terminal(as_json=as_json)
    asked = {"reason": reason, "principal": principal}
    query = {name: value for name, value in asked.items() if value}
    with connected(home, url, key) as client:
        for each in islice(client.pages("/api/v1/refusals", "refusals", **query), limit):
            facts = " ".join(f"{name}={text}" for name, text in each["metadata"].items() if text)
            line = f"{each['created']}  {each['reason']:<19}  {each['principal']}  {each['turn']}"
            terminal.result(each, f"{line}  {facts}".rstrip())
