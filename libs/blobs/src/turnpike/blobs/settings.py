"""What an operator can set of blobs, in each service that keeps some."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class BlobSettings(BaseSettings):
    """Mixed into a service's settings: `AGENT_RUNTIME_BLOBS_URL` sets `blobs_url`."""

    blobs_url: Annotated[str, Field(pattern=r"^(file:///.|s3://[a-z0-9])")] | None = None
    """Where files are kept: `s3://bucket/prefix` or `file:///folder`; nowhere if not set."""

    blobs_endpoint: str | None = None
    """The address of the bucket's server, if it is not Amazon's."""

    blobs_public_endpoint: str | None = None
    """The address that browsers reach the bucket's server by, if it is another one."""

    blobs_region: str = "us-east-1"
    """The bucket's region."""

    blobs_access_key: str | None = None
    """The access key to the bucket; the machine's own identity if it is not set."""

    blobs_secret_key: SecretStr | None = None
    """The secret of the access key."""
