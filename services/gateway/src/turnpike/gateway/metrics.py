"""What the edge counts."""

from turnpike.telemetry.metrics import counter, gauge, histogram

REQUESTS = histogram(
    "gateway_request_seconds", "Time to answer, or of a stream to begin.", ["route", "status"]
)
STREAMS = gauge("gateway_streams", "Event streams that are open.")
STREAM_ENDS = counter("gateway_stream_ends", "Event streams that ended, by why.", ["why"])
REATTACHMENTS = counter(
    "gateway_reattachments", "Streams that went on at another replica, unseen by their readers."
)
EVENTS = counter("gateway_events", "Events written to streams.")
PIECES = counter("gateway_completion_pieces", "Parts of proxied answers written to clients.")
