"""Vectors that were made before, in memory."""

from collections import OrderedDict
from hashlib import blake2b

from turnpike.embedding import metrics

_OVERHEAD = 200
"""Bytes that an entry takes beside its vector, about."""


def fingerprint(*parts: str | bytes) -> bytes:
    """Returns what tells one list of texts from every other."""
    digest = blake2b(digest_size=32)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


class VectorCache:
    """The vectors used last, up to a number of bytes; 0 keeps none."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._vectors: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, key: bytes) -> bytes | None:
        """Returns a vector, if it is kept."""
        vector = self._vectors.get(key)
        metrics.CACHED.labels("miss" if vector is None else "hit").inc()
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key: bytes, vector: bytes) -> None:
        """Keeps a vector, and forgets those that were not used for longest."""
        if key in self._vectors:
            return
        self._vectors[key] = vector
        self._bytes += len(vector) + _OVERHEAD
        while self._bytes > self._max_bytes:
            _, forgotten = self._vectors.popitem(last=False)
            self._bytes -= len(forgotten) + _OVERHEAD
