"""API keys as their holders know them, and as gatekeeper does."""

import hashlib
import secrets

_MARK = "tpk_"
_RANDOM_BYTES = 32
_PREFIX_LENGTH = len(_MARK) + 6


def new_secret() -> str:
    """Returns a new API key: 256 random bits, marked as ours."""
    return _MARK + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(secret: str) -> bytes:
    """Returns what is kept of a key: it finds the key, and does not tell it."""
    return hashlib.sha256(secret.encode()).digest()


def prefix(secret: str) -> str:
    """Returns what is shown of a key."""
    return secret[:_PREFIX_LENGTH]
