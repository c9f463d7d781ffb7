"""Telling callers that Postgres is away, and not that we are broken."""

from collections.abc import Generator
from contextlib import contextmanager

from turnpike.database.failures import is_unavailable
from turnpike.rpc.errors import UnavailableError


@contextmanager
def postgres_answers() -> Generator[None]:
    """Raises `UnavailableError` for what Postgres' absence raises in the block."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise UnavailableError("postgres does not answer; try again") from error
        raise
