"""How long a provider asks to wait."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 120.0
"""A provider that asks for more is asked again after this."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds in `retry-after-ms` or `Retry-After`, bounded; None without one.

    Args:
        headers: By name; any mapping whose look-up ignores case, or with
            lower-case names.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None:
        return _bounded(seconds)
    return _until(asked) if asked else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _until(date: str) -> float | None:
    try:
        return _bounded(parsedate_to_datetime(date).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _bounded(seconds: float) -> float:
    # NaN and infinities come out as a bound, too.
    return max(0.0, min(seconds, LONGEST_SECONDS)) if seconds == seconds else LONGEST_SECONDS
