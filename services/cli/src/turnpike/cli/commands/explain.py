"""`turnpike explain`: whether somebody would be let in now, and why not."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal


class RateClass(StrEnum):
    """Which rate a turn counts against."""

    SYNC = "sync"
    ASYNC = "async"
    API = "api"


def explain(
    principal: Annotated[
        str, typer.Argument(help="Whom it is about: an id of `turnpike principals list`.")
    ],
    agent: Annotated[str, typer.Option(help="By its name: its budgets count too.")] = "",
    api_key: Annotated[str, typer.Option(help="An API key's id: its bans and budgets.")] = "",
    rate_class: Annotated[
        RateClass, typer.Option(help="Which rate it counts against.")
    ] = RateClass.SYNC,
    model: Annotated[str, typer.Option(help="The model that would be called.")] = "",
    input_tokens: Annotated[int, typer.Option(min=0, help="How long the prompt would be.")] = 0,
    max_output_tokens: Annotated[int, typer.Option(min=0, help="And the answer at most.")] = 0,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Say what each gate of admission would decide now; nothing is consumed."""
    asked = {"agent": agent, "key": api_key, "model": model}
    query: dict[str, Any] = {name: value for name, value in asked.items() if value}
    query |= {"principal": principal, "rate_class": rate_class.value.upper()}
    if model:
        query |= {"input_tokens": input_tokens, "max_output_tokens": max_output_tokens}
    with connected(home, url, key) as client:
        told = client.fetch("GET", "/api/v1/admission:explain", params=query)
    lines = [f"{told['decision']}  plan {told['plan'] or 'none'}, paid by {told['payer']}"]
    lines += [_line(gate) for gate in told["gates"]]
    Terminal(as_json=as_json).result(told, "\n".join(lines))


def _line(gate: dict[str, Any]) -> str:
    wait = gate["retry_after_ms"]
    again = "" if wait is None else f"  again in {wait / 1000:.1f} s"
    return f"  {gate['name']:<12}  {gate['reason'] or 'passes':<19}  {gate['detail']}{again}"
