"""Names for what must not be named: credentials, as keys of maps and rows."""

import hashlib


class Fingerprints:
    """Keyed hashes: who sees one learns nothing of what it stands for."""

    def __init__(self, secret: bytes) -> None:
        """Takes a secret that every replica shares."""
        self._secret = hashlib.blake2b(secret, person=b"models").digest()

    def of(self, *parts: str) -> str:
        """Returns what stands for these parts; others have another."""
        keyed = hashlib.blake2b(key=self._secret, digest_size=16)
        for part in parts:
            encoded = part.encode()
            keyed.update(len(encoded).to_bytes(8, "big") + encoded)
        return keyed.hexdigest()
