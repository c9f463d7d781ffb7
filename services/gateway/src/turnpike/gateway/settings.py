"""Everything an operator can set, read once from the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from turnpike.blobs.settings import BlobSettings
from turnpike.rpc.settings import Seconds, ServiceSettings

_Interval = Annotated[Seconds, Field(gt=timedelta(0))]


class Settings(BlobSettings, ServiceSettings):
    """The gateway's configuration. `GATEWAY_LISTEN_ADDRESS` sets `listen_address`."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    gatekeeper_target: str
    """Where gatekeeper is: `dns:///host:port`, or `ipv4:host:port,host:port`."""

    agent_runtime_target: str
    """Where agent-runtime is."""

    tool_registry_target: str
    """Where tool-registry is."""

    embedding_target: str
    """Where embedding is."""

    listen_address: str = "[::]:8080"
    """Host and port to serve HTTP on."""

    drain_time: Seconds = timedelta(seconds=5)
    """How long to go on serving after `/readyz` says no, in seconds."""

    tls_authority: Path | None = None
    """The certificates that the services are checked by; in the clear if it is not set."""

    cors_origins: list[str] = Field(default_factory=list[str])
    """Origins whose pages may call: a JSON list, `["*"]` for any."""

    public_url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$")
    """Where browsers reach the gateway, such as `https://turnpike.example.com`: sign-ins come
    back there. As each request says, if it is not set."""

    mcp_issuers: list[Annotated[str, Field(pattern=r"^https?://[^?#\s\"]+$")]] = Field(
        default_factory=list[str]
    )
    """The authorization servers to which MCP clients without a credential are sent: a JSON list
    of issuers that tenants let in (`turnpike issuers`). Nobody is sent anywhere without."""

    secure_cookies: bool = False
    """Whether session cookies are for HTTPS alone, also where a proxy ends the TLS."""

    trusted_proxies: list[str] = Field(default_factory=lambda: ["127.0.0.1"])
    """Addresses whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""

    max_body_bytes: int = Field(default=4 << 20, ge=1024, le=15 << 20)
    """The largest body of a request."""

    session_lifetime: _Interval = timedelta(hours=12)
    """How long a browser's session lasts, in seconds."""

    stream_token_lifetime: _Interval = Field(default=timedelta(hours=1), le=timedelta(hours=1))
    """How long a token for a turn's events lasts, in seconds."""

    heartbeat_interval: _Interval = timedelta(seconds=10)
    """How long an event stream may be silent before it gets a comment, in seconds."""

    stall_time: _Interval = timedelta(seconds=30)
    """How long a client may take nothing of its stream before it is cut, in seconds."""

    call_deadline: _Interval = timedelta(seconds=30)
    """How long a service may take to answer, in seconds."""

    loss_patience: _Interval = timedelta(seconds=10)
    """How long replicas are tried when one is lost, in seconds."""
