"""A turn's log as the frames of an event stream."""

from turnpike.gateway.events import RETRY, write_frames
from turnpike.gateway.logs import Log
from turnpike.gateway.metrics import EVENTS


class Frames:
    """A log, event by event; its reader goes on after the last number."""

    resumable = True

    def __init__(self, log: Log) -> None:
        self._log = log

    @property
    def ended(self) -> bool:
        """Whether the terminal event was returned."""
        return self._log.ended

    def opening(self) -> bytes:
        """Returns how long to wait before connecting again, and the events that are there."""
        events = self._log.take()
        EVENTS.inc(len(events))
        return RETRY + write_frames(events, self._log.turn)

    async def read(self) -> bytes:
        """Returns the next events; raises `LogInterruptedError`."""
        events = await self._log.read()
        EVENTS.inc(len(events))
        return write_frames(events, self._log.turn)

    async def at_rest(self) -> bytes:
        """Returns nothing: a log that is silent goes on."""
        return b""

    def close(self) -> None:
        """Hangs up; the turn goes on."""
        self._log.close()
