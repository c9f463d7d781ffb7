"""Everything an operator can set, read once from the environment."""

from typing import Annotated

from pydantic import Field, PostgresDsn
from pydantic_settings import SettingsConfigDict

from turnpike.blobs.settings import BlobSettings
from turnpike.rpc.settings import Key, ServiceSettings


class Settings(BlobSettings, ServiceSettings):
    """Tool-registry's configuration. `TOOL_REGISTRY_DATABASE_URL` sets `database_url`."""

    model_config = SettingsConfigDict(env_prefix="TOOL_REGISTRY_")

    database_url: PostgresDsn
    """Postgres as tool-registry's own role, which sees one tenant at a time."""

    system_database_url: PostgresDsn
    """Postgres as tool-registry's system role, for its few listed statements."""

    gatekeeper_target: str
    """Where gatekeeper is, as gRPC's target: API keys are exchanged there."""

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

    egress_allow_private: bool = False
    """Whether connectors may be at private and loopback addresses."""
