"""Everything that the environment can set, and the environment itself."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The command line's defaults. `TURNPIKE_HOME` sets `home`."""

    model_config = SettingsConfigDict(env_prefix="TURNPIKE_", frozen=True)

    home: Path = Path(".turnpike")
    """Where a local suite keeps its state."""

    http_port: int = Field(default=8080, ge=0, le=65535)
    """The gateway's port; 0 takes a free one."""

    database_url: str = ""
    """A PostgreSQL to use in place of a local one; its user may create roles and schemas."""

    redis_url: str = ""
    """A Redis to use in place of a local one."""

    otlp_endpoint: str = ""
    """Where traces go: `http://host:port` of an OTLP receiver (gRPC)."""

    url: str = ""
    """The gateway that the other commands talk to; by default that of `home`."""

    key: str = ""
    """The API key for `url`."""

    @property
    def plain_database_url(self) -> str:
        """`database_url` without SQLAlchemy's driver, and without the scheme's short form."""
        scheme, colon, rest = self.database_url.partition("://")
        if scheme.partition("+")[0] in ("postgres", "postgresql"):
            return f"postgresql{colon}{rest}"
        return self.database_url


def inherited_environment() -> dict[str, str]:
    """Returns a copy of this process's environment."""
    return dict(os.environ)  # noqa: TID251 # this is the settings module


def service_environment() -> dict[str, str]:
    """Returns what the suite's processes inherit: the environment, but for what slows them down."""
    environment = inherited_environment()
    # Without bytecode every import takes twice as long, and five services import at once.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
