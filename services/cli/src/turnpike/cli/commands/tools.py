"""`turnpike tools`: what connectors can do, and what of it waits for approval."""

import json
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="List, call, review, approve and switch tools.")

Tool = Annotated[str, typer.Argument(help="connector/tool")]


@app.command("list")
def list_tools(
    pattern: Annotated[str, typer.Argument(help="connector/tool, with *")] = "*/*",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List tools by name."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        found = client.fetch("GET", "/api/v1/tools", params={"pattern": pattern})["tools"]
    for tool in found:
        first = (tool["description"].splitlines() or [""])[0]
        called = f"{tool['name']} as {tool['alias']}" if tool.get("alias") else tool["name"]
        terminal.result(tool, f"{called:<40} {tool['state']:<12} {first}".rstrip())


@app.command()
def call(
    tool: Tool,
    arguments: Annotated[str, typer.Option(help="A JSON object.")] = "{}",
    idempotency_key: Annotated[
        str, typer.Option(help="The same key and arguments again give the same call.")
    ] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Call a tool, without a model; ends with 1 unless it answered."""
    body = {"arguments": _object(arguments)}
    headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
    with connected(home, url, key) as client:
        turn = client.fetch("POST", f"/api/v1/tools/{tool}:call", json=body, headers=headers)
    made: dict[str, Any] = next(iter(turn["calls"]), {})
    outcome = made.get("outcome") or turn["status"]
    Terminal(as_json=as_json).result(turn, _told(turn, made, outcome))
    if outcome != "OK":
        raise typer.Exit(1)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--arguments is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise CommandError("--arguments must be a JSON object")
    return value


def _told(turn: dict[str, Any], made: dict[str, Any], outcome: str) -> str:
    blocks = made.get("result") or []
    texts = [block.get("text") or json.dumps(block) for block in blocks]
    why = [] if outcome == "OK" else [f"{outcome}  turn {turn['id']}"]
    error = turn.get("error") or {}
    return "\n".join([*why, *texts, *([error["message"]] if error else [])])


@app.command()
def review(
    connector: Annotated[str, typer.Argument(help="Only this connector's.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show what waits for approval, and what changed."""
    terminal = Terminal(as_json=as_json)
    query = {"connector": connector} if connector else {}
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/reviews", "reviews", **query):
            marks = ", ".join([*each["drift"], *each["flags"]])
            was = f" (was {each['renamed_from']})" if each["renamed_from"] else ""
            terminal.result(each, f"{each['tool']}{was}: {marks}\n{each['digest']}\n{each['diff']}")


@app.command()
def approve(
    tool: Tool,
    digest: Annotated[str, typer.Argument(help="Of the definition that you looked at.")],
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Let a tool be used as its server shows it now."""
    with connected(home, url, key) as client:
        client.call("POST", f"/api/v1/tools/{tool}:approve", json={"digest": digest})
    Terminal(as_json=as_json).result({"tool": tool, "digest": digest}, f"{tool}  approved")


@app.command("set")
def set_tool(
    tool: Tool,
    off: Annotated[bool, typer.Option("--off", help="Switch it off.")] = False,
    alias: Annotated[str, typer.Option(help="What models call it.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Switch a tool on or off, and say what models call it."""
    body = {"enabled": not off, "alias": alias}
    with connected(home, url, key) as client:
        client.call("PUT", f"/api/v1/tools/{tool}", json=body)
    Terminal(as_json=as_json).result({"tool": tool, **body}, f"{tool}  {'off' if off else 'on'}")
