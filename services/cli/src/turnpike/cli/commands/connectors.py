"""`turnpike connectors`: MCP servers, how they fare, and one's own credentials."""

import time
import webbrowser
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.terminal import Terminal

_POLL_SECONDS = 1.0

app = typer.Typer(
    no_args_is_help=True, help="Create, change, probe, sign in to, refresh and delete connectors."
)

Name = Annotated[str, typer.Argument(help="The connector's name.")]
Address = Annotated[str, typer.Option("--address", help="The server's URL.")]
Command = Annotated[
    list[str] | None,
    typer.Option("--command", help="A word of its command line, for a child; repeat it."),
]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", help="NAME=VALUE, such as 'authorization=Bearer ${var.TOKEN}'."),
]
Env = Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE, for a child.")]
Sse = Annotated[bool, typer.Option("--sse", help="It is an old server.")]


@app.command("list")
def list_connectors(
    home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """List connectors by name, with their states."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        for each in client.pages("/api/v1/connectors", "connectors"):
            said = " ".join(filter(None, (each["fault"], each["state_reason"])))
            terminal.result(each, f"{each['name']:<24} {each['state']:<10} {said}".rstrip())


@app.command()
def create(
    name: Name,
    address: Address = "",
    command: Command = None,
    header: Header = None,
    env: Env = None,
    sse: Sse = False,
    owner: Annotated[str, typer.Option(help="A principal's id; the tenant's without.")] = "",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Create a connector; its tools are discovered in the background."""
    body = {"name": name, "owner": owner, **_place(address, command, sse=sse)}
    body |= {"headers": _pairs(header, "--header"), "env": _pairs(env, "--env")}
    with connected(home, url, key) as client:
        made = client.fetch("POST", "/api/v1/connectors", json=body)
    Terminal(as_json=as_json).result(made, f"{name}  created")


@app.command()
def update(
    name: Name,
    address: Address = "",
    command: Command = None,
    header: Header = None,
    env: Env = None,
    sse: Sse = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Change a connector; what is left out stays, but for secrets of another server."""
    changes: dict[str, Any] = _place(address, command, sse=sse) if address or command else {}
    if header is not None:
        changes["headers"] = _pairs(header, "--header")
    if env is not None:
        changes["env"] = _pairs(env, "--env")
    with connected(home, url, key) as client:
        after = _changed(client, name, changes)
    Terminal(as_json=as_json).result(after, f"{name}  changed")


@app.command()
def enable(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Switch a connector on: its tools are listed and run."""
    with connected(home, url, key) as client:
        after = _changed(client, name, {"enabled": True})
    Terminal(as_json=as_json).result(after, f"{name}  on")


@app.command()
def disable(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Switch a connector off: its tools are not listed, and do not run."""
    with connected(home, url, key) as client:
        after = _changed(client, name, {"enabled": False})
    Terminal(as_json=as_json).result(after, f"{name}  off")


@app.command()
def probe(
    address: Annotated[str, typer.Argument(help="The server's URL.")],
    sse: Annotated[bool, typer.Option("--sse", help="It is an old server.")] = False,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Try a server out, and say what is wrong with it; nothing is stored."""
    body = {"transport": "sse" if sse else "http", "url": address}
    with connected(home, url, key) as client:
        found = client.fetch("POST", "/api/v1/connectors:probe", json=body)
    line = (
        f"OK  {found['server_name']} {found['server_version']}, {found['tools']} tools, "
        f"MCP {found['protocol_version']}"
        if found["ok"]
        else f"{found['fault']}  {found['message']}"
    )
    Terminal(as_json=as_json).result(found, line)
    if not found["ok"]:
        raise typer.Exit(1)


@app.command()
def refresh(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Discover a connector's tools now."""
    with connected(home, url, key) as client:
        after = client.fetch("POST", f"/api/v1/connectors/{name}:refresh")
    Terminal(as_json=as_json).result(after, f"{name}  {after['state']}  {after['state_reason']}")


@app.command()
def delete(
    name: Name, home: HomeFolder = None, url: Url = "", key: Key = "", as_json: Json = False
) -> None:
    """Delete a connector and its tools."""
    with connected(home, url, key) as client:
        client.call("DELETE", f"/api/v1/connectors/{name}")
    Terminal(as_json=as_json).result({"name": name, "deleted": True}, f"{name}  deleted")


@app.command()
def login(
    name: Name,
    shared: Annotated[
        bool, typer.Option("--shared", help="For whoever has no credential; for admins.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the link.")] = True,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Sign in to a connector in the browser, by OAuth, and wait until that is done."""
    terminal = Terminal(as_json=as_json)
    with connected(home, url, key) as client:
        path = f"/api/v1/connectors/{name}:login"
        begun = client.fetch("POST", path, json={"shared": shared})
        terminal.progress(f"open {begun['url']}", url=begun["url"])
        if browser and not as_json:
            webbrowser.open(begun["url"])
        while begun["state"] == "PENDING":
            time.sleep(_POLL_SECONDS)
            begun = client.fetch("GET", f"/api/v1/sign-ins/{begun['id']}")
    is_done = begun["state"] == "DONE"
    said = "signed in" if is_done else f"{begun['reason']}  {begun['message']}"
    terminal.result(begun, f"{name}  {said}")
    if not is_done:
        raise typer.Exit(1)


@app.command()
def credential(
    name: Name,
    header: Annotated[str, typer.Option(help="The header's name.")] = "authorization",
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Store what your own calls to a connector carry; the value is asked for, and not shown."""
    with connected(home, url, key) as client:
        connector = client.fetch("GET", f"/api/v1/connectors/{name}")
        value = typer.prompt(f"{header} for {connector['url']}", hide_input=True)
        stored = client.fetch(
            "PUT",
            f"/api/v1/connectors/{name}/credential",
            json={"headers": {header: value}},
            headers={"if-match": connector["etag"]},
        )
    Terminal(as_json=as_json).result(stored, f"{name}  {', '.join(stored['header_names'])}")


def _place(address: str, command: list[str] | None, *, sse: bool) -> dict[str, Any]:
    if bool(address) == bool(command):
        raise CommandError("give either --address or --command")
    transport = "stdio" if command else "sse" if sse else "http"
    return {"transport": transport, "url": address, "command": command or []}


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    pairs = [each.partition("=") for each in given or []]
    if any(not (name and sign and value) for name, sign, value in pairs):
        raise CommandError(f"{option} takes NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _changed(client: GatewayClient, name: str, changes: dict[str, Any]) -> Any:
    """Makes a connector what it is, but for the changes; returns it."""
    path = f"/api/v1/connectors/{name}"
    found = client.fetch("GET", path)
    kept = {each: found[each] for each in _KEPT}
    # An empty value keeps the stored secret.
    secrets = {field: dict.fromkeys(found[names], "") for field, names in _SECRETS.items()}
    changed = changes.get("url", found["url"]), changes.get("command", found["command"])
    if changed != (found["url"], found["command"]):
        secrets = {}
    etag = {"if-match": f'"{found["etag"]}"'}
    return client.fetch("PUT", path, json=kept | secrets | changes, headers=etag)


_KEPT = (
    "transport",
    "url",
    "command",
    "owner",
    "enabled",
    "personal_credentials",
    "distrust_annotations",
)
_SECRETS = {"headers": "header_names", "env": "env_names"}
