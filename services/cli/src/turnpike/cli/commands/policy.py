"""`turnpike policy`: which calls of tools run, and which you are asked for."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.setup.yaml_lines import YamlError, read_documents
from turnpike.cli.terminal import Terminal

_NAMES = (
    "enabled",
    "deny",
    "always_ask",
    "ask",
    "rules",
    "defaults",
    "approvals",
    "text_filters",
    "reason",
)

app = typer.Typer(no_args_is_help=True, help="Say which calls of tools run, and see why.")


class Whose(StrEnum):
    """Who says it."""

    TENANT = "tenant"
    PERSON = "person"


Scope = Annotated[Whose, typer.Option("--scope", help="The tenant's, or your own.")]


@app.command()
def show(
    scope: Scope = Whose.TENANT,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show what is said now."""
    with connected(home, url, key) as client:
        said = client.fetch("GET", f"/api/v1/policies/{scope.value}")
    Terminal(as_json=as_json).result(said, _text(said))


@app.command("set")
def set_policy(
    file: Annotated[Path, typer.Argument(help="YAML or JSON: what a Policy's spec says.")],
    scope: Scope = Whose.TENANT,
    etag: Annotated[str, typer.Option(help="Fail if it was changed since this one.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Say something else, from the next call on; what was said before is kept."""
    headers = {"if-match": f'"{etag}"'} if etag else {}
    with connected(home, url, key) as client:
        path = f"/api/v1/policies/{scope.value}"
        said = client.fetch("PUT", path, json=_spec(file), headers=headers)
    Terminal(as_json=as_json).result(said, _text(said))


@app.command()
def explain(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    tool: Annotated[str, typer.Argument(help="connector/tool")],
    arguments: Annotated[str, typer.Option("--arguments", help="A JSON object.")] = "{}",
    principal: Annotated[str, typer.Option(help="For whom; yourself else.")] = "",
    skill: Annotated[
        list[str] | None, typer.Option(help="One of its skills that counts as loaded.")
    ] = None,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Say what would become of a call, and why; nothing is called."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError as error:
        raise CommandError(f"the arguments are no JSON: {error}") from error
    body = {
        **{"agent": agent, "tool": tool, "arguments": given, "principal": principal},
        "skills": skill or [],
    }
    with connected(home, url, key) as client:
        told = client.fetch("POST", "/api/v1/policies:explain", json=body)
    by = " ".join(filter(None, (told["source"].lower(), told["skill"], told["rule"])))
    lines = [f"{told['verdict']}  by {by}: {told['reason']}"]
    if told["decisions"]:
        lines.append(f"  a person may: {', '.join(told['decisions'])}")
    if not told["known"]:
        lines.append("  the agent does not have this tool now")
    Terminal(as_json=as_json).result(told, "\n".join(lines))


def _spec(file: Path) -> dict[str, Any]:
    try:
        documents = [each.content for each in read_documents(file.read_text())]
    except (OSError, UnicodeDecodeError, YamlError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise CommandError(f"{file} is to hold one object")
    document: dict[str, Any] = documents[0]
    return document.get("spec", document)


def _text(said: dict[str, Any]) -> str:
    """Writes a policy as a file of its own would have it."""
    version = f"version {said['number']}" if said["number"] else "nobody said anything"
    lines = [f"# {version}, etag {said['etag']}" if said["number"] else f"# {version}"]
    for name in _NAMES:
        if said.get(name) is not None:
            lines.append(f"{name}: {orjson.dumps(said[name]).decode()}")
    return "\n".join(lines)
