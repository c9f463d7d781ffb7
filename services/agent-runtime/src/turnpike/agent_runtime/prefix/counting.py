"""What is counted of ledgers."""

from turnpike.telemetry.metrics import counter, histogram

COMMITS = counter(
    "prefix_commits",
    "Commits of clients' sessions: COMMITTED, STALE, ABANDONED (Postgres was away), or the error.",
    ["outcome"],
)
COMMIT_SECONDS = histogram("prefix_commit_seconds", "How long a client's commit took.")
REQUESTS = counter(
    "prefix_requests", "Model calls by why they missed a cache; NONE did not.", ["miss"]
)
PROMPT_TOKENS = counter("prefix_prompt_tokens", "Tokens of prompts, as providers reported them.")
PREDICTED_TOKENS = counter("prefix_predicted_tokens", "Tokens that providers should have cached.")
CACHED_TOKENS = counter("prefix_cached_tokens", "Tokens that providers said they had cached.")
BREACHES = counter(
    "prefix_breaches", "Requests that did not begin with the bytes of the last one of their epoch."
)
EVICTED = counter("prefix_evicted", "Sessions whose elements were evicted.")
