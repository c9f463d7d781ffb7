"""Sealing what must not be read in a dump."""

import base64
import os
from collections.abc import Mapping
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_NONCE_BYTES = 12


class SealBrokenError(ValueError):
    """What was sealed cannot be opened: another tenant's, altered, or by a key that is gone."""


class Envelope:
    """Seals text with AES-256-GCM, bound to a tenant.

    The first key seals; every key opens. Replicas of two settings serve side by
    side during a deploy, so a key is rotated in three of them, each finished
    before the next begins:

    1. the new key behind the old one: every replica can open what it seals;
    2. the new key in front: it seals from now on; then rows are sealed anew;
    3. without the old key.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Takes keys of 32 bytes by their ids, which hold no `.`.

        Raises:
            ValueError: There is no key, or one has not 32 bytes.
        """
        if not keys:
            raise ValueError("at least one secret key is needed")
        if any(len(key) != 32 for key in keys.values()):
            raise ValueError("a secret key has 32 bytes")
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(iter(keys))

    def seal(self, tenant: str | UUID, plaintext: str) -> str:
        """Returns `plaintext` sealed for `tenant`, as printable text."""
        nonce = os.urandom(_NONCE_BYTES)
        box = self._ciphers[self._current].encrypt(
            nonce, plaintext.encode(), _associated(self._current, tenant)
        )
        return f"{_VERSION}.{self._current}.{base64.urlsafe_b64encode(nonce + box).decode()}"

    def reseal(self, tenant: str | UUID, sealed: str) -> str | None:
        """Returns what was sealed by an older key, sealed by the current one; None if it is.

        Raises:
            SealBrokenError: It cannot be opened.
        """
        if key_of(sealed) == self._current:
            return None
        return self.seal(tenant, self.open(tenant, sealed))

    def open(self, tenant: str | UUID, sealed: str) -> str:
        """Returns what was sealed for `tenant`.

        Raises:
            SealBrokenError: It cannot be opened.
        """
        version, _, rest = sealed.partition(".")
        name, _, encoded = rest.partition(".")
        if version != _VERSION or name not in self._ciphers:
            raise SealBrokenError(f"sealed by the unknown key {name!r}")
        box = base64.urlsafe_b64decode(encoded)
        try:
            opened = self._ciphers[name].decrypt(
                box[:_NONCE_BYTES], box[_NONCE_BYTES:], _associated(name, tenant)
            )
        except InvalidTag:
            raise SealBrokenError("altered, or sealed for another tenant") from None
        return opened.decode()


def key_of(sealed: str) -> str:
    """Returns the id of the key that something is sealed with."""
    return sealed.partition(".")[2].partition(".")[0]


def _associated(name: str, tenant: str | UUID) -> bytes:
    return f"{_VERSION}.{name}.{tenant}".encode()
