"""Signed reasoning on the OpenAI wire: each host has its own words for it."""

from collections.abc import Mapping
from typing import Any

import orjson

from turnpike.agent_runtime.models.caching import provider_behind
from turnpike.agent_runtime.models.prompt import Model, SignaturePiece
from turnpike.agent_runtime.models.thoughts import has_thoughts, signed_calls, taken

_TEXT, _ENCRYPTED = "reasoning.text", "reasoning.encrypted"


def signatures(detail: Mapping[str, Any]) -> list[SignaturePiece]:
    """Returns what is signed or encrypted in one of OpenRouter's `reasoning_details`."""
    names = ("format", "id", "index")
    known = {name: detail[name] for name in names if detail.get(name) is not None}
    details = orjson.dumps(known).decode() if known else ""
    if isinstance(signature := detail.get("signature"), str) and signature:
        return [SignaturePiece(signature, details=details)]
    if isinstance(encrypted := detail.get("data"), str) and encrypted:
        return [SignaturePiece(encrypted, of="redacted", details=details)]
    return []


def google_signature(extra: Mapping[str, Any] | None) -> str:
    """Returns the signature that Google puts beside a call; empty without one."""
    google = extra.get("google") if extra else None
    signature = google.get("thought_signature") if isinstance(google, Mapping) else None
    return signature if isinstance(signature, str) else ""


def returned(wire: bytes, model: Model) -> bytes:
    """Returns a ledgered message as a model is sent it: with its own thoughts, in its words.

    The same for the same message and model, so that what was sent before begins what is sent next.
    """
    if not has_thoughts(wire):
        return wire
    message: dict[str, Any] = orjson.loads(wire)
    blocks = taken(message, model)
    host = provider_behind(model)
    if host == "openrouter":
        if details := [each for block in blocks for each in _detail(block)]:
            message["reasoning_details"] = details
    elif host == "gemini":
        for call, signature in signed_calls(message, blocks):
            call["extra_content"] = {"google": {"thought_signature": signature}}
    return orjson.dumps(message)


def _detail(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    noted = block.get("details") or {}
    match block.get("type"):
        case "thinking":
            text, signature = block.get("thinking", ""), block.get("signature", "")
            return [{"type": _TEXT, "text": text, "signature": signature, **noted}]
        case "redacted_thinking":
            return [{"type": _ENCRYPTED, "data": block.get("data", ""), **noted}]
        case _:
            return []
