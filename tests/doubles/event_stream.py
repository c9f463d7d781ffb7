"""AWS's event stream: how Bedrock frames what it streams."""

import json
import struct
import zlib
from collections.abc import Mapping

_STRING = b"\x07"


def frame(kind: str, payload: Mapping[str, object], *, message: str = "event") -> bytes:
    """Returns one message: a prelude with its checksum, headers, JSON, and a checksum of all.

    Args:
        kind: Its `:event-type`, or its `:exception-type`.
        payload: What it says.
        message: `event`, or `exception`.
    """
    named = {
        f":{message}-type": kind,
        ":content-type": "application/json",
        ":message-type": message,
    }
    headers = b"".join(_header(name, value) for name, value in named.items())
    body = json.dumps(payload, separators=(",", ":")).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    whole = prelude + headers + body
    return whole + struct.pack(">I", zlib.crc32(whole))


def _header(name: str, value: str) -> bytes:
    written = value.encode()
    return bytes([len(name)]) + name.encode() + _STRING + struct.pack(">H", len(written)) + written
