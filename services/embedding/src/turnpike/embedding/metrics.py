"""What an operator can watch."""

from turnpike.telemetry.metrics import counter, gauge, histogram

_LABELS = ("priority",)

BATCH_TEXTS = histogram(
    "embedding_batch_texts",
    "Texts embedded together.",
    _LABELS,
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
BATCH_SECONDS = histogram(
    "embedding_batch_seconds", "Time that the model took for a batch.", _LABELS
)
QUEUE_SECONDS = histogram(
    "embedding_queue_seconds", "Time that a text waited before its batch began.", _LABELS
)
QUEUED_TOKENS = gauge("embedding_queued_tokens", "Tokens that wait, padding included.", _LABELS)
TOKENS = counter("embedding_tokens", "Tokens embedded, padding apart.", _LABELS)
DROPPED = counter(
    "embedding_dropped_texts", "Texts not embedded, because their caller had gone.", _LABELS
)
REFUSED = counter(
    "embedding_refused_calls", "Calls refused, because too much was waiting.", _LABELS
)
SHARED = counter("embedding_shared_texts", "Texts that somebody else waited for already.", _LABELS)
CACHED = counter("embedding_cached_texts", "Texts looked up among the vectors kept.", ("outcome",))
INDEXED = counter(
    "embedding_indexed_documents", "Documents indexed, by how that ended.", ("outcome",)
)
SOURCE_RUNS = counter("embedding_source_runs", "Runs of sources, by how that ended.", ("outcome",))
