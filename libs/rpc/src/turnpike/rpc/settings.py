"""What an operator can set of every service, read once from the environment."""

import base64
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from turnpike.rpc.tls import Tls


def _decoded(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _parse_seconds(value: object) -> object:
    return float(value) if isinstance(value, str) else value


Key = Annotated[bytes, BeforeValidator(_decoded), Field(min_length=32, max_length=32)]
"""32 bytes, given in base64."""

Seconds = Annotated[timedelta, BeforeValidator(_parse_seconds), Field(ge=timedelta(0))]
"""A time given as a number of seconds."""


class ServiceSettings(BaseSettings):
    """What is the same for every service; each adds its prefix, and what is its own."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    signing_key: Annotated[Key, Field(repr=False)]
    """The seed of the Ed25519 key that signs this service's tokens: base64 of 32 bytes."""

    trusted_keys: dict[str, Key]
    """Every service's public key: a JSON object of name and base64 of 32 bytes."""

    listen_address: str = "[::]:50051"
    """Host and port to serve gRPC on."""

    metrics_address: str = "[::]:9090"
    """Host and port to serve Prometheus' `/metrics` on."""

    replica_name: str = ""
    """This process's name among its peers, `<service>-<host>` if it is not set."""

    otlp_endpoint: str | None = None
    """Where to send traces: `http://host:port`, gRPC. Nowhere if it is not set."""

    log_level: str = "INFO"
    """The least level that is logged."""

    drain_time: Seconds = timedelta(seconds=5)
    """How many seconds to go on serving after reporting NOT_SERVING."""

    grace_time: Seconds = timedelta(seconds=20)
    """How many seconds calls in flight may take to finish at shutdown."""

    tls_certificate: Path | None = None
    """The certificate to serve with; in the clear if it is not set."""

    tls_key: Path | None = None
    """The certificate's private key."""

    tls_authority: Path | None = None
    """Whose certificates peers must show; anybody's, or none, if it is not set."""

    @classmethod
    def service(cls) -> str:
        """Returns the service's name, which is its prefix in lower case: `agent-runtime`."""
        prefix = cls.model_config.get("env_prefix") or ""
        return prefix.rstrip("_").lower().replace("_", "-")

    @property
    def tls(self) -> Tls:
        """The certificates."""
        return Tls(self.tls_certificate, self.tls_key, self.tls_authority)

    @model_validator(mode="before")
    @classmethod
    def _name_replica(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"replica_name": f"{cls.service()}-{socket.gethostname()}", **values}
