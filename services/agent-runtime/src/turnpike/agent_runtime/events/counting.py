"""What is counted of logs and their readers."""

from turnpike.telemetry.metrics import counter, gauge

RESETS = counter("log_resets", "Resets written to logs.")
SUBSCRIPTIONS = counter("subscriptions", "Readers that attached.", ["kind"])
REPLAYED = counter("replayed_events", "Events given to readers that resumed.")
GAPS = counter("log_gaps", "Times that a reader's source missed numbers, and read them elsewhere.")
WATCHERS = gauge("watchers", "Readers attached now.")
