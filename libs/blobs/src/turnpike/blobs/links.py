"""Links to the blobs of a folder: signed, expiring, and served by the gateway."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from turnpike.blobs.model import Blob, LinkError

LINK_PATH = "/api/v1/blobs/"
"""Where the gateway serves them."""

_LONGEST = 8192
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Link:
    """What a link leads to."""

    scope: str
    blob: Blob
    name: str
    media_type: str
    expires: int
    """In seconds since 1970."""


class Links:
    """Signs and reads links with a key that everybody on the folder shares."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: bytes = b""

    def sign(
        self, scope: str, blob: Blob, *, name: str, media_type: str, lifetime: timedelta
    ) -> str:
        """Returns a path of the gateway."""
        expires = int(time.time() + lifetime.total_seconds())
        claims = [scope, blob.tenant.hex, blob.digest, blob.edition, name, media_type, expires]
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return f"{LINK_PATH}{_encoded(payload)}.{_encoded(self._signature(payload))}"

    def read(self, token: str) -> Link:
        """Returns what the end of a link's path leads to; raises LinkError."""
        head, _, tail = token[:_LONGEST].partition(".")
        payload = _decoded(head)
        if not hmac.compare_digest(self._signature(payload), _decoded(tail)):
            raise LinkError("no link of ours")
        scope, tenant, digest, edition, name, media_type, expires = json.loads(payload)
        if time.time() >= expires:
            raise LinkError("the link has expired")
        return Link(scope, Blob(UUID(tenant), digest, edition), name, media_type, expires)

    def _signature(self, payload: bytes) -> bytes:
        self._known = self._known or _shared_key(self._folder)
        return hmac.digest(self._known, payload, hashlib.sha256)


def _shared_key(folder: Path) -> bytes:
    path = folder / "link.key"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = folder / f"link.key.{secrets.token_hex(8)}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            # Of several processes that come first at once, one makes the key.
            os.link(partial, path)
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return path.read_bytes()


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise LinkError("no link of ours") from error
