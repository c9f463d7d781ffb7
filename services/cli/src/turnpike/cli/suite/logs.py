"""The processes' logs."""

from pathlib import Path

_LARGEST = 20 * 2**20


def rotate(log: Path) -> None:
    """Sets a log that has grown large aside, in place of the one set aside before."""
    if log.exists() and log.stat().st_size > _LARGEST:
        log.replace(log.with_suffix(".old"))
