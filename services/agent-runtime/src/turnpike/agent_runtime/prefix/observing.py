"""Counting what a ledger's entries say."""

from turnpike.agent_runtime.prefix.counting import (
    CACHED_TOKENS,
    COMPACTIONS,
    CONTEXT_TOKENS,
    FIRST_DELTA_SECONDS,
    PREDICTED_TOKENS,
    PROMPT_TOKENS,
    REQUESTS,
)
from turnpike.agent_runtime.prefix.model import Entry, Reason


def observe(entry: Entry) -> None:
    """Counts a model call by what the provider said of it; answers to calls are none."""
    said, miss, provider = entry.reported, entry.miss, entry.provider
    if said is None:
        return
    REQUESTS.labels(provider, str(miss.reason) if miss else "NONE").inc()
    if miss and miss.reason is Reason.EPOCH_COMPACTION:
        COMPACTIONS.inc()
    if said.first_delta is not None:
        FIRST_DELTA_SECONDS.labels(provider).observe(said.first_delta.total_seconds())
    CONTEXT_TOKENS.labels(provider).observe(entry.sent.tokens)
    if not said.reckoned:
        PROMPT_TOKENS.labels(provider).inc(said.prompt_tokens)
        PREDICTED_TOKENS.labels(provider).inc(entry.predicted)
        CACHED_TOKENS.labels(provider).inc(said.cached_tokens)
