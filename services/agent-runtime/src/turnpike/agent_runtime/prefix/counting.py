"""What is counted of ledgers."""

from turnpike.telemetry.metrics import counter, histogram

_TOKENS = (250, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)

COMMITS = counter(
    "prefix_commits",
    "Commits of clients' sessions: COMMITTED, STALE, ABANDONED (Postgres was away), or the error.",
    ["outcome"],
)
COMMIT_SECONDS = histogram("prefix_commit_seconds", "How long a client's commit took.")
REQUESTS = counter(
    "prefix_requests",
    "Model calls by why they missed a cache; NONE did not.",
    ["provider", "miss"],
)
PROMPT_TOKENS = counter(
    "prefix_prompt_tokens", "Tokens of prompts, as providers reported them.", ["provider"]
)
PREDICTED_TOKENS = counter(
    "prefix_predicted_tokens", "Tokens that providers should have cached.", ["provider"]
)
CACHED_TOKENS = counter(
    "prefix_cached_tokens", "Tokens that providers said they had cached.", ["provider"]
)
CONTEXT_TOKENS = histogram(
    "prefix_context_tokens", "Tokens of a model call's prompt.", ["provider"], buckets=_TOKENS
)
FIRST_DELTA_SECONDS = histogram(
    "model_first_delta_seconds", "From asking a model to its first delta.", ["provider"]
)
COMPACTIONS = counter("prefix_compactions", "Epochs that began with a summary.")
BREACHES = counter(
    "prefix_breaches", "Ledgers that were not what their hash says: their next request began anew."
)
EVICTED = counter("prefix_evicted", "Sessions whose elements were evicted.")
