"""What a prompt weighs, and how much of it a provider's prefix cache would have held."""

from collections import defaultdict
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any

import msgspec

BLOCK = 16
TOKENS_PER_BLOCK = 4


class _Parts(msgspec.Struct):
    messages: msgspec.Raw
    tools: msgspec.Raw = msgspec.Raw(b"[]")


_PARTS = msgspec.json.Decoder(_Parts)


@dataclass(frozen=True)
class Prompt:
    """A prompt's size in tokens, the cached part of it, and its digest."""

    tokens: int
    cached: int
    digest: str


class PromptCache:
    """A prefix cache as providers keep one: per model and `prompt_cache_key`, in blocks."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[str, str], set[bytes]] = defaultdict(set)

    def read(self, body: dict[str, Any], sent: bytes) -> Prompt:
        """Returns the prompt of a request and remembers its prefixes.

        Of the bytes as they were sent: who spells the same otherwise has another prefix.
        """
        raw = prompt_bytes(sent)
        seen = self._seen[body["model"], body.get("prompt_cache_key") or ""]
        running, hits, live = blake2b(digest_size=12), 0, True
        for start in range(0, len(raw) - BLOCK + 1, BLOCK):
            running.update(raw[start : start + BLOCK])
            prefix = running.digest()
            live = live and prefix in seen
            hits += live
            seen.add(prefix)
        return Prompt(
            len(raw) // TOKENS_PER_BLOCK, hits * TOKENS_PER_BLOCK, sha256(raw).hexdigest()
        )


def prompt_bytes(sent: bytes) -> bytes:
    """Returns what of a request is hashed: the tools first, then the messages, as they came."""
    parts = _PARTS.decode(sent)
    return bytes(parts.tools) + bytes(parts.messages).removesuffix(b"]")


def rounds_asked(messages: list[dict[str, Any]]) -> int:
    """Counts the messages at the end that asked for tools, their results skipped."""
    rounds = 0
    for message in reversed(messages):
        if message.get("role") == "tool":
            continue
        if message.get("role") != "assistant" or not message.get("tool_calls"):
            break
        rounds += 1
    return rounds
