"""JSON as the edge writes it: times, enums, and documents that others wrote."""

from datetime import datetime, timedelta
from functools import lru_cache

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1)  # in UTC; a zone of its own would be written
_WHITESPACE = str.maketrans({"\n": " ", "\r": " "})


def rfc3339(time: Timestamp) -> str:
    """Returns a time in UTC with microseconds, `2026-11-21T05:00:00.000001Z`."""
    return f"{_second(time.seconds)}.{time.nanos // 1000:06d}Z"


def embed_object(text: str) -> object:
    """Returns what stands for a JSON object that a model wrote.

    It is embedded as it was written, so that no number changes; only the line
    breaks between its tokens become blanks. Nothing at all is an empty object,
    and what is no JSON object stays a string.
    """
    if not text:
        return {}
    return _embedded(text) if isinstance(_parsed(text), dict) else text


def embed_array(text: str) -> object:
    """Returns what stands for an array of content blocks that a server wrote.

    What is no JSON array becomes one block of text.
    """
    if not text:
        return []
    if isinstance(_parsed(text), list):
        return _embedded(text)
    return [{"type": "text", "text": text}]


def embed_any(text: str) -> object:
    """Returns what stands for a JSON document, or the text if it is none."""
    return text if _parsed(text) is _NOTHING else _embedded(text)


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Returns a whole second; many events of a stream share one."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


def _embedded(text: str) -> orjson.Fragment:
    # Inside a JSON string a line break is always escaped, so a bare one is
    # between tokens. In a frame it would end the line.
    return orjson.Fragment(text.translate(_WHITESPACE))


_NOTHING = object()


def _parsed(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _NOTHING
