"""What a provider's refusal means."""

import logging
from collections.abc import Mapping
from datetime import timedelta

from turnpike.embedding.model import (
    EmbeddingError,
    ModelUnusableError,
    ProviderError,
    ProviderRateLimitedError,
    ProviderUnreachableError,
)

logger = logging.getLogger(__name__)

_TOO_MANY = 429
_UNUSABLE = frozenset({401, 402, 403, 404})
_LATER = frozenset({408, 409, 425})
_SERVER_ERROR = 500
_LONGEST = timedelta(minutes=15)
_SHOWN = 500


def refusal(
    model: str, status: int, headers: Mapping[str, str], said: str, *, secret: str
) -> EmbeddingError:
    """Returns the error that a provider's answer stands for, and logs what it said.

    Args:
        model: Our name of the model.
        status: HTTP's.
        headers: The answer's.
        said: Its words: logged, and never shown to callers.
        secret: The credential, taken out of what is logged.
    """
    words = (said.replace(secret, "…") if secret else said)[:_SHOWN]
    logger.warning("the provider of %s answered %s: %s", model, status, words)
    wait = _retry_after(headers)
    if status == _TOO_MANY:
        return ProviderRateLimitedError(model, retry_after=wait)
    if status in _UNUSABLE:
        return ModelUnusableError(model, f"its provider answered {status}")
    if status >= _SERVER_ERROR or status in _LATER:
        return ProviderUnreachableError(model, retry_after=wait)
    return ProviderError(model, f"it answered {status}")


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    try:
        seconds = float(headers.get("retry-after", "1"))
    except ValueError:
        seconds = 1.0
    return min(max(timedelta(seconds=seconds), timedelta(0)), _LONGEST)
