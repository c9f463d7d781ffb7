"""`turnpike connectors`: MCP servers, how they fare, and one's own credentials."""

import time
import webbrowser
from typing import Annotated

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.terminal import Terminal

_POLL_SECONDS = 1.0

app = typer.Typer(
    no_args_is_help=True, help="List, probe, sign in to, refresh and delete connectors."
)

Name = Annotated[str, typer.Argument(help="The connector's name.")]


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
