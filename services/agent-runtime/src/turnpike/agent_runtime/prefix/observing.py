"""Counting what a ledger's entries say."""

from turnpike.agent_runtime.prefix.counting import (
    CACHED_TOKENS,
    PREDICTED_TOKENS,
    PROMPT_TOKENS,
    REQUESTS,
)
from turnpike.agent_runtime.prefix.model import Entry


def observe(entry: Entry) -> None:
    """Counts a model call by what the provider said of it."""
    REQUESTS.labels(miss=str(entry.miss.reason) if entry.miss else "NONE").inc()
    said = entry.reported
    if said is not None and not said.reckoned:
        PROMPT_TOKENS.inc(said.prompt_tokens)
        PREDICTED_TOKENS.inc(entry.predicted)
        CACHED_TOKENS.inc(said.cached_tokens)
