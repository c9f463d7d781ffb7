"""Reads a turn's log to its end, through every break of the connection."""

import time
from collections.abc import Callable, Generator
from datetime import timedelta

from turnpike.cli.conversation.fold import Fold, GapError
from turnpike.cli.conversation.frames import Event, read_events
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient, RefusalError, UnreachableError

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 2.0
# Without a single event for so long there is no hope.
_PATIENCE = timedelta(minutes=2)
_PASSING = (429, 502, 503, 504)


def follow(
    client: GatewayClient, turn: str, fold: Fold, tell: Callable[[str], None]
) -> Generator[Event]:
    """Yields the turn's events after `fold.seq`, each once and already folded, until its end."""
    last_news = time.monotonic()
    delay = 0.0
    told: int | None = None
    while not fold.finish():
        try:
            for event in _read_on(client, turn, fold):
                last_news, delay = time.monotonic(), 0.0
                yield event
        except _Ended:
            return
        except (UnreachableError, RefusalError, GapError, ValueError) as error:
            _raise_unless_passing(error, time.monotonic() - last_news)
            if told != fold.seq:
                told = fold.seq
                tell(f"connection lost ({error}); resuming after event {fold.seq}")
        if not fold.finish():
            time.sleep(delay)
            delay = min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)


class _Ended(Exception):  # no error
    """The turn is finished and nothing of it is left to read."""


def _read_on(client: GatewayClient, turn: str, fold: Fold) -> Generator[Event]:
    headers = {"last-event-id": str(fold.seq)} if fold.seq else {}
    with client.stream("GET", f"/api/v1/turns/{turn}/events", headers=headers) as response:
        if response.status_code == 204:
            raise _Ended
        for event in read_events(response.iter_bytes()):
            fold.add(event)
            yield event


def _raise_unless_passing(error: Exception, silence: float) -> None:
    if isinstance(error, RefusalError) and error.http_status not in _PASSING:
        raise error
    if silence > _PATIENCE.total_seconds():
        raise CommandError(f"gave up after {_PATIENCE.total_seconds():g} s: {error}") from error
