"""`turnpike doctor`: what is wrong with a setup."""

from collections.abc import Generator

import typer

from turnpike.cli.commands.options import HomeFolder, Json, read_settings
from turnpike.cli.diagnosis import machine, running, stores
from turnpike.cli.diagnosis.finding import Finding
from turnpike.cli.settings import Settings
from turnpike.cli.suite.home import Home
from turnpike.cli.terminal import Terminal


def doctor(home: HomeFolder = None, as_json: Json = False) -> None:
    """Say what is wrong with this machine, its databases and the running suite."""
    terminal = Terminal(as_json=as_json)
    healthy = True
    for finding in _findings(read_settings(home)):
        healthy = healthy and finding.ok
        terminal.result(vars(finding), str(finding))
    if not healthy:
        raise typer.Exit(1)


def _findings(settings: Settings) -> Generator[Finding]:
    home = Home(settings.home)
    yield machine.check_python()
    yield machine.check_home(home)
    if settings.database_url:
        yield from stores.check_database(settings.plain_database_url)
    else:
        yield machine.check_postgres()
    if settings.redis_url:
        yield stores.check_redis_url(settings.redis_url)
    else:
        yield machine.check_redis()
    if running.is_running(home):
        yield from running.check_processes(home)
    else:
        yield machine.check_port(settings.http_port)
