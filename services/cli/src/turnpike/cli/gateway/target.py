"""Which gateway, and with which key."""

from dataclasses import dataclass

from turnpike.cli.errors import CommandError
from turnpike.cli.settings import Settings
from turnpike.cli.suite.home import Home, read_object


@dataclass(frozen=True)
class Target:
    """A gateway's address and a key for it."""

    url: str
    key: str


def find_target(settings: Settings, url: str, key: str) -> Target:
    """Returns what the options say, else the environment, else the suite of the home."""
    home = Home(settings.home)
    return Target(
        url=(url or settings.url or _running_gateway(home)).rstrip("/"),
        key=key or settings.key or _admin_key(home),
    )


def _running_gateway(home: Home) -> str:
    if not home.run_file.exists():
        raise CommandError(
            f"no suite runs on {str(home.folder)!r}: start one with `turnpike up`, "
            "or say which with --url and --key"
        )
    processes = read_object(home.run_file).get("processes")
    for process in processes if isinstance(processes, list) else []:
        if isinstance(process, dict) and "http" in process:
            return str(process["http"])
    raise CommandError(f"{str(home.run_file)!r} names no gateway")


def _admin_key(home: Home) -> str:
    try:
        return home.admin_key.read_text().strip()
    except OSError as error:
        raise CommandError(
            f"no API key: give one with --key or TURNPIKE_KEY ({error.strerror}: "
            f"{str(home.admin_key)!r})"
        ) from error
