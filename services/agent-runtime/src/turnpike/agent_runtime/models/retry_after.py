"""How long a provider asks to wait."""

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 900.0
"""A provider that asks for more is asked again after this."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds in `retry-after-ms` or `Retry-After`, bounded; None without one.

    Args:
        headers: By name, in whatever case; any mapping.
    """
    milliseconds = _number(_header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    asked = _header(headers, "retry-after")
    seconds = _number(asked)
    if seconds is not None:
        return _bounded(seconds)
    return _until(asked) if asked else None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    found = headers.get(name)
    if found is not None:
        return str(found)
    return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _until(date: str) -> float | None:
    try:
        return _bounded(parsedate_to_datetime(date).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _bounded(seconds: float) -> float:
    # Infinities come out as a bound, and what is no number as the longest.
    return LONGEST_SECONDS if math.isnan(seconds) else max(0.0, min(seconds, LONGEST_SECONDS))
