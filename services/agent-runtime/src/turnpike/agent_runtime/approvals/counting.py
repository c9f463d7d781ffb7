"""What is counted of approvals."""

from turnpike.telemetry.metrics import counter, histogram

PAUSED = counter("approvals", "Approvals that turns paused for.", ["subject"])
DECISIONS = counter("approval_decisions", "Decisions that were taken, by kind.", ["kind"])
EXPIRED = counter("approvals_expired", "Approvals that nobody decided in time.", ["action"])
WAITED = histogram(
    "approval_wait_seconds",
    "How long approvals waited for their last decision.",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600),
)
