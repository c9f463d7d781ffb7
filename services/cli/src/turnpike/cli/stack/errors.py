"""Why a local database does not start."""

from pathlib import Path


class StackError(Exception):
    """A local process that cannot run; the message says why and where to look."""


def log_tail(log: Path, lines: int = 5) -> str:
    """Returns the last lines of a log, indented, to be shown below an error."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in text.splitlines()[-lines:])
