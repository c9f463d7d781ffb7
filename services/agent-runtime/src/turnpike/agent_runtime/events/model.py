"""What a log is made of, without any I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from turnpike.api.agent_runtime.v1.event_pb2 import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write a turn's log, as long as no later claim exists."""

    tenant: UUID
    turn: UUID
    thread: UUID
    fence: int
    owner: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The events of one commit, with the deltas before it."""

    first: int
    last: int
    events: bytes
    reserve: int
    """Numbers up to this one may be shown before the next commit."""


class FenceLostError(Exception):
    """Another claim owns the turn: nothing more may be written for this one."""


class CancelDesiredError(Exception):
    """Nothing was committed, because cancelling the turn is desired."""


def follows(cursor: int, event: Event) -> bool:
    """Says whether `event` may be given to a reader who has seen `cursor`.

    It is the next number, or a reset that voids all between.
    """
    if event.seq == cursor + 1:
        return True
    return (
        event.seq > cursor
        and event.WhichOneof("body") == "log_reset"
        and event.log_reset.after_seq <= cursor
    )


def following(cursor: int, events: Sequence[Event]) -> list[Event]:
    """Returns the events that a reader at `cursor` may be given, in order."""
    given: list[Event] = []
    for event in events:
        if event.seq <= cursor:
            continue
        if not follows(cursor, event):
            break
        given.append(event)
        cursor = event.seq
    return given


def is_terminal(event: Event) -> bool:
    """Says whether `event` is the last of its log."""
    return event.WhichOneof("body") == "turn_finished"
