"""`turnpike up`: the whole suite on this machine."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from turnpike.cli.commands.apply import read_set_up
from turnpike.cli.commands.options import HomeFolder, Json, read_settings
from turnpike.cli.commands.reporting import reported
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.gateway.target import Target
from turnpike.cli.settings import Settings, inherited_environment, service_environment
from turnpike.cli.setup.application import apply_documents, stdio_commands
from turnpike.cli.setup.documents import Document
from turnpike.cli.suite.guard import run_guarded
from turnpike.cli.suite.home import Home
from turnpike.cli.suite.order import Order
from turnpike.cli.suite.plan import parse_replicas
from turnpike.cli.suite.up import run_suite
from turnpike.cli.terminal import Terminal


def up(
    replicas: Annotated[
        list[str], typer.Option(metavar="SERVICE=N", help="Start several. Repeatable.")
    ] = [],  # noqa: B006 # typer copies it
    http_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The gateway's port [TURNPIKE_HTTP_PORT, or 8080]."),
    ] = None,
    config: Annotated[
        list[Path], typer.Option(help="Apply this file before all is ready. Repeatable.")
    ] = [],  # noqa: B006 # typer copies it
    otlp_endpoint: Annotated[
        str, typer.Option(help="Send traces there [TURNPIKE_OTLP_ENDPOINT].")
    ] = "",
    home: HomeFolder = None,
    as_json: Json = False,
) -> None:
    """Start the suite here, and keep it running until Ctrl-C."""
    terminal = Terminal(as_json=as_json)
    settings = read_settings(home)
    documents = read_set_up(config) if config else []
    order = Order(
        replicas=parse_replicas(replicas),
        http_port=settings.http_port if http_port is None else http_port,
        database_url=settings.plain_database_url,
        redis_url=settings.redis_url,
        otlp_endpoint=otlp_endpoint or settings.otlp_endpoint,
        stdio_commands=stdio_commands(documents),
        environment=service_environment(),
    )
    run_guarded(partial(_run, settings, order, documents, terminal))


def _run(settings: Settings, order: Order, documents: list[Document], terminal: Terminal) -> int:
    def set_up(url: str, key: str) -> None:
        if documents:
            with GatewayClient(Target(url, key)) as client:
                for outcome in apply_documents(client, documents, inherited_environment()):
                    terminal.progress(str(outcome), **outcome.facts())

    return reported(
        partial(run_suite, Home(settings.home), order, set_up, terminal), as_json=terminal.as_json
    )
