"""Everything an operator can set, read once from the environment."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PostgresDsn, SecretStr
from pydantic_settings import SettingsConfigDict

from turnpike.blobs.settings import BlobSettings
from turnpike.rpc.settings import Key, Seconds, ServiceSettings


class OAuthClient(BaseModel):
    """A client that an authorization server's operator registered by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: Annotated[str, Field(min_length=1, max_length=2000)]
    client_secret: SecretStr = SecretStr("")
    method: Literal["client_secret_basic", "client_secret_post", "none", ""] = ""
    """How it shows itself; empty: `client_secret_basic` with a secret, else `none`."""


class Settings(BlobSettings, ServiceSettings):
    """Tool-registry's configuration. `TOOL_REGISTRY_DATABASE_URL` sets `database_url`."""

    model_config = SettingsConfigDict(env_prefix="TOOL_REGISTRY_")

    database_url: PostgresDsn
    """Postgres as tool-registry's own role, which sees one tenant at a time."""

    system_database_url: PostgresDsn
    """Postgres as tool-registry's system role, for its few listed statements."""

    gatekeeper_target: str
    """Where gatekeeper is, as gRPC's target: API keys are exchanged there."""

    embedding_target: str = ""
    """Where embedding is, as gRPC's target: `builtin:knowledge` is its documents."""

    secret_keys: Annotated[dict[str, Key], Field(min_length=1, repr=False)]
    """Keys that seal connectors' secrets: a JSON object of id and base64 of 32 bytes.

    The first one seals, all open."""

    stdio_commands: tuple[tuple[str, ...], ...] = ()
    """The command lines that connectors may start: a JSON list of lists, matched exactly."""

    stdio_environment: tuple[str, ...] = ("PATH", "HOME", "LOGNAME", "SHELL", "TERM", "USER")
    """The variables of ours that children see: a JSON list of names."""

    stdio_memory_bytes: Annotated[int, Field(ge=16 * 1024 * 1024)] = 2 * 1024**3
    """How much memory a child may write to."""

    stdio_cpu_seconds: Annotated[int, Field(ge=1)] = 3600
    """How long a child may compute before it is killed."""

    oauth_clients: dict[str, OAuthClient] = Field(default_factory=dict[str, OAuthClient])
    """Clients that authorization servers know: a JSON object of issuers, each with
    `client_id`, and maybe `client_secret` and `method`."""

    oauth_redirects: tuple[str, ...] = ()
    """The pages that sign-ins may come back to: a JSON list; empty allows any."""

    artifact_tenant_bytes: Annotated[int, Field(ge=0)] = 64 << 30
    """How many bytes of artifacts a tenant may have in all; beyond that results are cut."""

    artifact_retention: Seconds = timedelta(days=30)
    """How many seconds an artifact of a call is kept."""

    egress_allow_private: bool = False
    """Whether connectors may be at private and loopback addresses."""
