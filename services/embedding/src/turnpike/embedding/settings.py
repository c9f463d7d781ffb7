"""Everything an operator can set, read once from the environment."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from turnpike.blobs.settings import BlobSettings
from turnpike.embedding.specs import RerankerSpec, Spec
from turnpike.rpc.settings import ServiceSettings

BUILT_IN = "all-minilm-l6-v2"
"""The model that needs no configuration."""


class Settings(BlobSettings, ServiceSettings):
    """Embedding's configuration. `EMBEDDING_LISTEN_ADDRESS` sets `listen_address`."""

    model_config = SettingsConfigDict(env_prefix="EMBEDDING_")

    database_url: SecretStr
    """Postgres as embedding's own role, which sees one tenant at a time."""

    system_database_url: SecretStr
    """Postgres as embedding's system role, for its few listed statements."""

    gatekeeper_target: str
    """Where gatekeeper is, as gRPC's target: API keys are exchanged there."""

    agent_runtime_target: str = ""
    """Where agent-runtime is, as gRPC's target: it knows the planner. Empty: there is none."""

    planner_timeout: float = Field(default=0.8, gt=0, le=60)
    """How many seconds the planner may take for a search, beside the search itself."""

    tool_registry_target: str = ""
    """Where tool-registry is: sources are read through it. Empty: this replica runs none."""

    default_model: str = BUILT_IN
    """The model that is used where none is named."""

    models: tuple[Spec, ...] = ()
    """Further models: a JSON array, see Models."""

    reranker: RerankerSpec | None = None
    """What orders what searches found anew: a JSON object, see Searching. None: nothing."""

    cache_bytes: int = Field(default=64 << 20, ge=0)
    """How many bytes of vectors are kept in memory; 0 for none."""

    exact_search_vectors: int = Field(default=5_000, ge=0)
    """Up to how many vectors of a tenant a search compares all; beyond, it uses an index."""

    workers: int = Field(default=2, ge=1, le=64)
    """How many batches are embedded at a time; from two on, one is for queries alone."""

    intra_op_threads: int = Field(default=1, ge=1, le=64)
    """How many threads each batch is computed with."""

    max_batch_tokens: int = Field(default=512, ge=1)
    """How many tokens a batch may have, padding included; a longer text goes alone."""

    max_queued_tokens: int = Field(default=262_144, ge=1)
    """How many tokens may wait, of each priority, before further calls are refused."""

    max_waiting_characters: int = Field(default=32_000_000, ge=1)
    """How many characters may wait to be tokenized, or chunked, before calls are refused."""

    index_jobs: int = Field(default=2, ge=0, le=64)
    """How many documents are made searchable at a time; 0 leaves that to other replicas."""

    source_jobs: int = Field(default=2, ge=0, le=64)
    """How many sources are run at a time; 0 leaves that to other replicas."""

    source_read_seconds: int = Field(default=30, ge=1, le=120)
    """How long a connector's server may take for one resource."""

    max_document_bytes: int = Field(default=10 << 20, ge=1, le=15 << 20)
    """How many bytes a text may have, and a document that comes in one message."""

    max_original_bytes: int = Field(default=64 << 20, ge=1, le=1 << 30)
    """How many bytes a file that is no text may have, when it comes in parts."""

    max_tenant_documents: int = Field(default=100_000, ge=1)
    """How many documents a tenant may keep, deleted ones apart."""

    max_tenant_bytes: int = Field(default=10 << 30, ge=1)
    """How many bytes a tenant's documents may have together, with all that they were."""

    extraction_seconds: int = Field(default=120, ge=1)
    """How long the text of one PDF, HTML or Office file may take to be extracted."""

    parsing_seconds: int = Field(default=30, ge=1)
    """How long one text of code may take to be parsed; then it is divided at its lines."""

    extraction_memory_bytes: int = Field(default=1 << 30, ge=256 << 20)
    """How much address space the process that extracts or parses it may have."""

    @model_validator(mode="after")
    def _know_default_model(self) -> Self:
        names = [BUILT_IN, *(spec.name for spec in self.models)]
        if len(set(names)) < len(names):
            raise ValueError("two models have one name")
        if self.default_model not in names:
            raise ValueError(f"default_model is none of {', '.join(names)}")
        return self
