"""What is counted of turns."""

from turnpike.telemetry.metrics import counter, gauge

TURNS = counter("turns", "Turns that ended here.", ["result"])
IN_FLIGHT = gauge("turns_in_flight", "Turns that run here.")
TAKEOVERS = counter("takeovers", "Turns that became due because their owner died.")
TOOL_CALLS = counter("turn_tool_calls", "Tool calls of turns that ended.", ["outcome"])
FENCES_REFUSED = counter("fence_refusals", "Claims that were refused a write by a later one.")
OUTBOX = counter(
    "usage_outbox", "Rows of the usage outbox that were sent to gatekeeper.", ["result"]
)
