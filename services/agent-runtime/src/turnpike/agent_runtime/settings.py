"""Everything an operator can set, read once from the environment."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from turnpike.blobs.settings import BlobSettings
from turnpike.rpc.settings import Key, Seconds, ServiceSettings


class Settings(BlobSettings, ServiceSettings):
    """Agent-runtime's configuration. `AGENT_RUNTIME_LISTEN_ADDRESS` sets `listen_address`."""

    model_config = SettingsConfigDict(env_prefix="AGENT_RUNTIME_")

    database_url: SecretStr
    """Postgres, as the role that sees one tenant at a time."""

    system_database_url: SecretStr
    """Postgres, as the role that sweeps."""

    redis_url: SecretStr
    """Redis, where deltas go first."""

    gatekeeper_target: str
    """Where gatekeeper is, as gRPC's target."""

    tool_registry_target: str
    """Where the tool registry is, as gRPC's target."""

    embedding_target: str | None = None
    """Where embedding is, as gRPC's target; without it tools are searched by their words alone."""

    secret_keys: Annotated[dict[str, Key], Field(min_length=1, repr=False)]
    """Keys that seal providers' credentials: a JSON object of id and base64 of 32 bytes; the
    first one seals, all open."""

    egress_allow_private: bool = False
    """Whether models may be at private and loopback addresses."""

    platform_tenant: UUID | None = None
    """The tenant whose admins keep the platform's models, which every tenant may use; nobody if it
    is not set."""

    default_agent: bool = False
    """Whether every tenant has an agent `default` on the built-in scripted model."""

    capacity: int = Field(default=1000, ge=1)
    """How many turns this replica runs at once."""

    pool_size: int = Field(default=10, ge=2)
    """How many connections each of the two database roles may hold."""

    prefix_tenant_bytes: int = Field(default=256 << 20, ge=0)
    """How many bytes of prompts the prefix ledger keeps for each tenant; what was used within ten
    minutes stays beyond that."""

    tool_search_percent: int = Field(default=5, ge=1, le=100)
    """Which share of a model's context, in percent, the definitions of an agent's tools may take
    before its model is given a search in their place; 100 never does so."""

    file_max_bytes: int = Field(default=64 << 20, ge=1, le=4 << 30)
    """How many bytes a file may have."""

    file_tenant_bytes: int = Field(default=64 << 30, ge=0)
    """How many bytes of files a tenant may have in all, until they are swept."""

    file_retention: Seconds = timedelta(days=7)
    """How many seconds a file is kept that never was of a turn."""

    audit_retention: Seconds | None = None
    """How many seconds the audit is kept, a day at least; for ever if it is not set."""

    first_chunk_timeout: Seconds = timedelta(seconds=120)
    """How many seconds a model may take to say the first thing."""

    idle_timeout: Seconds = timedelta(seconds=60)
    """How many seconds a model may be silent after that."""

    tool_timeout: Seconds = timedelta(seconds=300)
    """How many seconds a tool may take."""

    turn_timeout: Seconds = timedelta(seconds=900)
    """How many seconds a turn may go on asking a model again that fails."""

    planner_timeout: Seconds = timedelta(seconds=5)
    """How many seconds a planner may take for a thread's title."""

    slot_patience: Seconds = timedelta(seconds=2)
    """How many seconds a turn keeps its slot while it waits for a provider that is away."""

    drain_time: Seconds = timedelta(seconds=5)
    """How many seconds to finish steps in, after reporting NOT_SERVING."""
