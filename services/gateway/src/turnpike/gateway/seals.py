"""Documents that callers carry and only the gateway's replicas can read."""

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_LENGTH = 12


class Seal:
    """Seals documents for one purpose, with a key of that purpose's own.

    The key comes from the gateway's signing key, so that what one replica
    sealed every replica opens.
    """

    def __init__(self, signing_key: bytes, purpose: str) -> None:
        self._purpose = purpose.encode()
        derivation = HKDF(SHA256(), 32, salt=None, info=b"turnpike gateway " + self._purpose)
        self._cipher = AESGCM(derivation.derive(signing_key))

    def close(self, document: dict[str, Any]) -> str:
        """Returns the document sealed, safe in a URL and in a cookie."""
        nonce = os.urandom(_NONCE_LENGTH)
        sealed = self._cipher.encrypt(nonce, orjson.dumps(document), self._purpose)
        return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, sealed: str) -> dict[str, Any] | None:
        """Returns what was sealed, or None if this seal did not close it."""
        try:
            raw = urlsafe_b64decode(sealed.encode("ascii") + b"=" * (-len(sealed) % 4))
            plain = self._cipher.decrypt(raw[:_NONCE_LENGTH], raw[_NONCE_LENGTH:], self._purpose)
        except (InvalidTag, UnicodeEncodeError, ValueError, binascii.Error):
            return None
        return orjson.loads(plain)
