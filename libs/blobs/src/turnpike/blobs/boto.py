"""Amazon's client library: a second and 30 MB to import, so nobody does before it is needed."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from turnpike.blobs.model import BlobNotFoundError, BlobRangeError, BlobsUnavailableError

if TYPE_CHECKING:
    from turnpike.blobs.s3 import Bucket

_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_OUTSIDE = frozenset({"InvalidRange", "416"})
_CONFIG = AioConfig(
    signature_version="s3v4",
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 3},
    # Other makers' S3 know no checksums but those that are asked for.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class Library:
    """Clients of S3, and how their failures read."""

    @staticmethod
    def connect(bucket: "Bucket", endpoint: str) -> Any:
        """Returns a context of a client."""
        session = aioboto3.Session(
            aws_access_key_id=bucket.access_key or None,
            aws_secret_access_key=bucket.secret_key or None,
            region_name=bucket.region,
        )
        return session.client("s3", endpoint_url=endpoint or None, config=_CONFIG)

    @staticmethod
    @contextmanager
    def failures() -> Generator[None]:
        """Tells what is not there from a bucket that is away."""
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _ABSENT:
                raise BlobNotFoundError("no such blob") from error
            if code in _OUTSIDE:
                raise BlobRangeError("the range is not within the blob") from error
            raise BlobsUnavailableError(f"the bucket answers {code}") from error
        except (BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BlobsUnavailableError("the bucket does not answer") from error
