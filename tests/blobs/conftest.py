"""A real S3 server, and both stores on one footing."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aioboto3
import pytest
from moto.server import ThreadedMotoServer

from turnpike.blobs.model import BlobStore
from turnpike.blobs.opening import open_store
from turnpike.blobs.settings import BlobSettings

_SECRET = "secret"


@pytest.fixture(scope="session")
def s3() -> Generator[str]:
    """The address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
async def bucket(s3: str) -> BlobSettings:
    """Settings that name a bucket of the server."""
    name = f"blobs-{uuid4().hex}"
    settings = BlobSettings.model_validate(
        {
            "blobs_url": f"s3://{name}/turnpike",
            "blobs_endpoint": s3,
            "blobs_access_key": "key",
            "blobs_secret_key": _SECRET,
        }
    )
    session: Any = aioboto3.Session("key", _SECRET, region_name=settings.blobs_region)
    async with session.client("s3", endpoint_url=s3) as client:
        await client.create_bucket(Bucket=name)
    return settings


@pytest.fixture
def folder(tmp_path: Path) -> BlobSettings:
    """Settings that name a folder."""
    return BlobSettings(blobs_url=f"file://{tmp_path}/blobs")


@pytest.fixture(scope="session")
async def stores(
    tmp_path_factory: pytest.TempPathFactory, bucket: BlobSettings
) -> AsyncGenerator[dict[str, BlobStore]]:
    """A store in a folder, and one in a bucket; each test has tenants of its own."""
    folder = BlobSettings(blobs_url=f"file://{tmp_path_factory.mktemp('blobs')}")
    stores = {
        "folder": open_store(folder, "tests"),
        "bucket": open_store(bucket, "tests"),
    }
    yield stores
    for store in stores.values():
        await store.close()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, stores: dict[str, BlobStore]) -> BlobStore:
    """One store after the other."""
    return stores[request.param]
