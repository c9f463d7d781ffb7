"""What operators see of admissions."""

from turnpike.telemetry.metrics import counter, gauge, histogram

ADMISSION_SECONDS = histogram("admission_seconds", "How long admissions took to decide")

SLOTS_TAKEN = gauge("slots_taken", "Slots taken, of the tenants that this replica saw lately")

_DECISIONS = counter("admission_decisions", "Admissions decided", ["decision"])
_COUNTS = {
    decision: _DECISIONS.labels(decision)
    for decision in (
        "ADMITTED",
        "BANNED",
        "BUDGET_EXHAUSTED",
        "RATE_LIMITED",
        "CONCURRENCY_LIMITED",
        "UNAVAILABLE",
    )
}

SETTLED = counter("settled_micro_usd", "Micro-dollars that settlements came to, replays included")


def count(decision: str) -> None:
    """Counts an admission by its outcome."""
    _COUNTS[decision].inc()
