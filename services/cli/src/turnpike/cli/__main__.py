"""The command line's entry point."""

import sys
from importlib import import_module

import typer

from turnpike.cli.commands.reporting import reported

_COMMANDS = ("up", "apply", "doctor", "chat", "sessions", "usage", "refusals", "explain")
_GROUPS = (
    "turns",
    "keys",
    "byok",
    "models",
    "connectors",
    "variables",
    "tools",
    "effects",
    "policy",
    "grants",
    "approve",
    "files",
    "artifacts",
    "docs",
    "audit",
    "principals",
    "bans",
    "plans",
    "budgets",
    "tenants",
    "issuers",
)


def make_app(words: list[str]) -> typer.Typer:
    """Returns the app for a command line.

    It has all commands, unless the first word says which one is meant: what the others need would
    take longer to import than many a command takes to run.
    """
    app = typer.Typer(
        name="turnpike",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(turnpike)
    for name in _meant(words):
        module = import_module(f"turnpike.cli.commands.{name}")
        if name in _GROUPS:
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def turnpike() -> None:
    """Run LLM agents: start the suite, set it up, talk to it."""


def main() -> None:
    """Runs the command that was typed."""
    words = sys.argv[1:]
    sys.exit(reported(make_app(words), as_json="--json" in words))


def _meant(words: list[str]) -> tuple[str, ...]:
    names = (*_COMMANDS, *_GROUPS)
    return (words[0],) if words and words[0] in names else names


if __name__ == "__main__":
    main()
