"""The arithmetic of rates, for when Redis is away; lua/gcra.lua has the same."""

from dataclasses import dataclass

CELL = 60_000
"""Units a call or token: so many that a whole number of them drain each millisecond."""


@dataclass(slots=True)
class Backlog:
    """A rate's backlog, in units, as it was at a time in milliseconds."""

    units: int = 0
    at: int = 0

    def left(self, now: int, per_minute: int) -> int:
        """Returns what of it has not drained by now."""
        return max(0, self.units - max(0, now - self.at) * per_minute)

    def wait(self, now: int, cells: int, per_minute: int, burst: int) -> int:
        """Returns the milliseconds until so many cells fit; 0 when they do.

        More than the burst never fit, so that many need an empty backlog.
        """
        over = self.left(now, per_minute) + (min(cells, burst) - burst) * CELL
        return -(-over // per_minute) if over > 0 else 0

    def charge(self, now: int, cells: int, per_minute: int) -> None:
        """Adds cells to it."""
        self.units = self.left(now, per_minute) + cells * CELL
        self.at = now
