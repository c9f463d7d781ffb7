"""`turnpike docs migrate`: a collection's way to another model."""

import time
from typing import Annotated, Any

import typer

from turnpike.cli.commands.options import HomeFolder, Json, Key, Url, connected
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.progress import Progress
from turnpike.cli.terminal import Terminal

app = typer.Typer(no_args_is_help=True, help="Give a collection's documents another model.")

Collection = Annotated[str, typer.Argument(help="The collection's name.")]
_POLL_SECONDS = 0.5


@app.command()
def start(
    collection: Collection,
    model: Annotated[str, typer.Argument(help="The model that it is to have.")],
    wait: Annotated[bool, typer.Option(help="Until the two models are compared.")] = True,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Make vectors of another model beside the present ones; again: try what failed."""
    with connected(home, url, key) as client:
        migration = client.fetch("POST", _path(collection), json={"model": model})
        if wait:
            migration = _waited(client, collection, is_shown=not as_json)
    Terminal(as_json=as_json).result(migration, _line(migration))
    if migration["failed"]:
        raise CommandError(f"{migration['failed']} of {migration['total']} failed")


@app.command()
def status(
    collection: Collection,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show how far a migration is, and how the two models compare."""
    with connected(home, url, key) as client:
        migration = client.fetch("GET", _path(collection))
    Terminal(as_json=as_json).result(migration, _line(migration))


@app.command()
def finish(
    collection: Collection,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Have searches compare the new vectors, and drop the old ones."""
    with connected(home, url, key) as client:
        migration = client.fetch("POST", f"{_path(collection)}:activate")
    Terminal(as_json=as_json).result(migration, _line(migration))


@app.command()
def abort(
    collection: Collection,
    home: HomeFolder = None,
    url: Url = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Give a migration up, and drop the new vectors."""
    with connected(home, url, key) as client:
        migration = client.fetch("DELETE", _path(collection))
    Terminal(as_json=as_json).result(migration, _line(migration))


def _waited(client: GatewayClient, collection: str, *, is_shown: bool) -> dict[str, Any]:
    """Returns a migration once there is nothing more to wait for."""
    with Progress(1, is_shown=is_shown) as bars:
        bars.begin(collection)
        while True:
            migration = client.fetch("GET", _path(collection))
            bars.tell(migration["state"], migration["done"], migration["total"])
            over = migration["sample"] or not migration["total"] or migration["failed"]
            if over or migration["state"] != "RUNNING":
                return migration
            time.sleep(_POLL_SECONDS)


def _path(collection: str) -> str:
    return f"/api/v1/collections/{collection}/migration"


def _line(migration: dict[str, Any]) -> str:
    way = f"{migration['source']} -> {migration['target']}  {migration['state']}"
    if migration["total"]:
        way += f"  {migration['done']} of {migration['total']}"
    if migration["sample"]:
        way += (
            f"  recall {migration['recall']:.2f}, agreement {migration['agreement']:.2f}, finds"
            f" {migration['target_hits']:.2f} where the old one finds"
            f" {migration['source_hits']:.2f} (of {migration['sample']})"
        )
    return way
