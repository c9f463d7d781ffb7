"""Not trying again at once what has just failed several times."""

import time

FAILURES = 5
OPEN_SECONDS = 10.0


class Breaker:
    """Says whether a server may be tried; opens after some failures in a row."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def may_try(self) -> bool:
        """Whether to try; when its time has come, one caller finds out for all."""
        if self._failures < FAILURES:
            return True
        now = time.monotonic()
        if now < self._until:
            return False
        self._until = now + OPEN_SECONDS
        return True

    def note(self, *, success: bool) -> None:
        """Takes how a try ended."""
        self._failures = 0 if success else self._failures + 1
        if not success and self._failures >= FAILURES:
            self._until = time.monotonic() + OPEN_SECONDS
