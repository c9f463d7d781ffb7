"""Options that several commands take."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.gateway.target import find_target
from turnpike.cli.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Write JSON, an object a line.")]
Url = Annotated[str, typer.Option("--url", help="The gateway [TURNPIKE_URL, or the home's].")]
Key = Annotated[str, typer.Option("--key", help="The API key [TURNPIKE_KEY, or the home's].")]
HomeFolder = Annotated[
    Path | None, typer.Option("--home", help="The suite's folder [TURNPIKE_HOME, or .turnpike].")
]


def read_settings(home: Path | None) -> Settings:
    """Returns what the environment says, unless an option says otherwise."""
    try:
        settings = Settings()
    except ValidationError as error:
        faults = (f"TURNPIKE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise CommandError("; ".join(faults)) from error
    return settings.model_copy(update={"home": home}) if home else settings


@contextmanager
def connected(home: Path | None, url: str, key: str) -> Generator[GatewayClient]:
    """A client of the gateway that the options mean."""
    with GatewayClient(find_target(read_settings(home), url, key)) as client:
        yield client
