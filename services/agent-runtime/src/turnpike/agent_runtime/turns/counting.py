"""What is counted of turns."""

import time
from datetime import UTC, datetime, timedelta

from turnpike.telemetry.metrics import counter, gauge, histogram

TURNS = counter("turns", "Turns that ended here.", ["result"])
IN_FLIGHT = gauge("turns_in_flight", "Turns that run here.")
FIRST_DELTA_SECONDS = histogram(
    "turn_first_delta_seconds", "From a turn's start to the first delta of its answer."
)
TAKEOVERS = counter("takeovers", "Turns that became due because their owner died.")
TOOL_CALLS = counter("turn_tool_calls", "Tool calls of turns that ended.", ["outcome"])
FENCES_REFUSED = counter("fence_refusals", "Claims that were refused a write by a later one.")
OUTBOX = counter(
    "usage_outbox", "Rows of the usage outbox that were sent to gatekeeper.", ["result"]
)


def observe_first_delta(created: datetime, began: float, after: timedelta | None) -> None:
    """Counts when a turn's first delta came.

    Args:
        created: When the turn was made, by Postgres' clock.
        began: When its model was asked, by this process' monotonic clock.
        after: How long after that it came; None when none did.
    """
    if after is None:
        return
    came = datetime.now(UTC) - timedelta(seconds=time.monotonic() - began) + after
    FIRST_DELTA_SECONDS.observe(max((came - created).total_seconds(), 0.0))
