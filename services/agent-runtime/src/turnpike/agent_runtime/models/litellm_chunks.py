"""Reading litellm's chunks, whichever provider they are of."""

from collections.abc import Callable
from typing import Any

from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Piece,
    ReasoningPiece,
    SignaturePiece,
    TextPiece,
    ToolUsePiece,
    UsagePiece,
)
from turnpike.agent_runtime.models.usage import normal

# litellm puts Google's signature into the id of a call, too: no other provider takes such an id.
_SIGNED_ID = "__thought__"


class LitellmReader:
    """Reads one stream, chunk by chunk."""

    def __init__(self, has_ended: Callable[[], bool]) -> None:
        """Takes how to know whether the provider said that its model ended.

        litellm says `stop` also at the end of a stream that was cut.
        """
        self._has_ended = has_ended
        self._signed: set[str] = set()

    def read(self, chunk: Any) -> list[Piece]:
        """Returns what a chunk says."""
        pieces: list[Piece] = []
        for choice in chunk.choices:
            pieces.extend(self._said(choice.delta))
            if choice.finish_reason and self._has_ended():
                pieces.append(EndPiece(choice.finish_reason))
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            pieces.append(usage_of(usage))
        return pieces

    def _said(self, delta: Any) -> list[Piece]:
        pieces: list[Piece] = []
        if reasoning := getattr(delta, "reasoning_content", None):
            pieces.append(ReasoningPiece(_clean(reasoning)))
        for block in getattr(delta, "thinking_blocks", None) or ():
            pieces.extend(_signature(block))
        if delta.content:
            pieces.append(TextPiece(_clean(delta.content)))
        for call in delta.tool_calls or ():
            pieces.extend(self._call(call))
        return [*pieces, *self._others(delta)]

    def _call(self, call: Any) -> list[Piece]:
        function = call.function
        name, arguments = function.name or "", function.arguments or ""
        given = (call.id or "").partition(_SIGNED_ID)[0]
        part = ToolUsePiece(call.index, given, _clean(name), _clean(arguments))
        signature = _fields(call).get("thought_signature")
        if not signature:
            return [part]
        self._signed.add(signature)
        return [part, SignaturePiece(signature, of="call", call=call.index)]

    def _others(self, delta: Any) -> list[SignaturePiece]:
        """Returns the signatures of an answer's text: litellm lists them with those of calls."""
        listed = _fields(delta).get("thought_signatures") or ()
        found = [each for each in listed if each not in self._signed]
        self._signed.update(found)
        return [SignaturePiece(each, of="text") for each in found]


def usage_of(usage: Any) -> UsagePiece:
    """Returns what a call used: litellm counts what was cached or written into the prompt."""
    read, made = usage.prompt_tokens_details, getattr(usage, "completion_tokens_details", None)
    return normal(
        prompt=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        cached=getattr(read, "cached_tokens", None) or 0,
        written=getattr(read, "cache_creation_tokens", None) or 0,
        reasoning=getattr(made, "reasoning_tokens", None) or 0,
    )


def _signature(block: Any) -> list[SignaturePiece]:
    if signature := block.get("signature"):
        return [SignaturePiece(signature)]
    if block.get("type") == "redacted_thinking" and block.get("data"):
        return [SignaturePiece(block["data"], of="redacted")]
    return []


def _fields(of: Any) -> dict[str, Any]:
    return getattr(of, "provider_specific_fields", None) or {}


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
