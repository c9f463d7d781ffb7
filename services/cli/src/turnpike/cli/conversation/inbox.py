"""Watches what waits for a person, through every break of the connection."""

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from turnpike.cli.conversation.frames import read_documents
from turnpike.cli.gateway.client import GatewayClient, RefusalError, UnreachableError

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 10.0
_PASSING = (429, 502, 503, 504)


def arrivals(
    client: GatewayClient, query: Mapping[str, str], tell: Callable[[str], None]
) -> Generator[dict[str, Any]]:
    """Yields each approval that waits, oldest first, and then each that comes; never ends."""
    seen: set[str] = set()
    delay, quiet = 0.0, False
    while True:
        try:
            for waiting in _looks(client, query):
                delay, quiet = 0.0, False
                yield from (each for id, each in waiting.items() if id not in seen)
                seen = set(waiting)
        except (UnreachableError, RefusalError) as error:
            if isinstance(error, RefusalError) and error.http_status not in _PASSING:
                raise
            if not quiet:
                quiet = True
                tell(f"connection lost ({error}); trying again")
        time.sleep(delay)
        delay = min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)


def _looks(client: GatewayClient, query: Mapping[str, str]) -> Generator[dict[str, dict[str, Any]]]:
    """Yields what waits, by its id, at once and whenever that may have changed."""
    with client.stream("GET", "/api/v1/approvals:watch") as response:
        for _ in read_documents(response.iter_bytes()):
            pages = client.pages("/api/v1/approvals", "approvals", **query, status="PENDING")
            newest_first = [(str(each["id"]), each) for each in pages]
            yield dict(reversed(newest_first))
