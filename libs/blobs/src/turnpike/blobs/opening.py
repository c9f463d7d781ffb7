"""The store that an operator's settings name."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from turnpike.blobs.directory import DirectoryStore
from turnpike.blobs.model import BlobStore
from turnpike.blobs.nowhere import NoStore
from turnpike.blobs.s3 import Bucket, S3Store
from turnpike.blobs.settings import BlobSettings


def open_store(settings: BlobSettings, scope: str) -> BlobStore:
    """Returns a store; connects nowhere and imports nothing yet. Close it in the end.

    Args:
        settings: Where blobs are.
        scope: The service's name, which keeps its blobs apart: what one service no longer needs,
            another may.
    """
    url = urlsplit(settings.blobs_url or "")
    if url.scheme == "file":
        return DirectoryStore(Path(unquote(url.path)), scope)
    if url.scheme == "s3":
        return S3Store(_bucket(settings, url.netloc, url.path), scope)
    return NoStore()


def folder_of(settings: BlobSettings) -> Path | None:
    """Returns the folder that blobs are in, if it is one."""
    url = urlsplit(settings.blobs_url or "")
    return Path(unquote(url.path)) if url.scheme == "file" else None


def _bucket(settings: BlobSettings, name: str, prefix: str) -> Bucket:
    secret = settings.blobs_secret_key
    return Bucket(
        name=name,
        prefix=prefix,
        endpoint=settings.blobs_endpoint or "",
        public_endpoint=settings.blobs_public_endpoint or "",
        region=settings.blobs_region,
        access_key=settings.blobs_access_key or "",
        secret_key=secret.get_secret_value() if secret else "",
    )
