"""Reasoning that a provider signed, and wants back with the answer as it stands."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from turnpike.agent_runtime.models.prompt import (
    Model,
    Piece,
    ReasoningPiece,
    SignaturePiece,
    ToolUsePiece,
)

BLOCKS, AUTHOR = "thinking_blocks", "thinking_by"
"""Where a message in its ledgered form has them: no provider is sent the second."""

_MARK = f'"{BLOCKS}"'.encode()


class Thoughts:
    """Adds up the reasoning of one answer. Nothing is kept of what nobody signed."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._blocks: list[dict[str, Any]] = []

    def hear(self, piece: Piece) -> None:
        """Adds a piece; those of other kinds only end the reasoning before them."""
        match piece:
            case ReasoningPiece():
                self._text.append(piece.text)
            case SignaturePiece():
                self._seal(piece)
            case ToolUsePiece():
                self._text.clear()
            case _:
                pass

    def document(self, author: str) -> str:
        """Returns them as JSON, to be kept as it is; empty when nothing was signed."""
        if not self._blocks:
            return ""
        return orjson.dumps({AUTHOR: author, BLOCKS: self._blocks}).decode()

    def _seal(self, piece: SignaturePiece) -> None:
        block: dict[str, Any]
        match piece.of:
            case "reasoning":
                text = "".join(self._text)
                block = {"type": "thinking", "thinking": text, "signature": piece.signature}
                self._text.clear()
            case "redacted":
                block = {"type": "redacted_thinking", "data": piece.signature}
            case "call":
                block = {"type": "call", "index": piece.call, "signature": piece.signature}
            case "text":
                block = {"type": "text", "signature": piece.signature}
        if piece.details:
            block["details"] = orjson.loads(piece.details)
        self._blocks.append(block)


def author(model: Model) -> str:
    """Returns who can read what a model signed: nobody else takes it."""
    return f"{model.provider}/{model.model}"


def fields(document: str) -> dict[str, Any]:
    """Returns what a kept document adds to a message in its ledgered form."""
    return orjson.loads(document) if document else {}


def has_thoughts(wire: bytes) -> bool:
    """Says whether a message may have any."""
    return _MARK in wire


def taken(message: dict[str, Any], model: Model) -> list[dict[str, Any]]:
    """Takes the thoughts out of a message; returns them if they are this model's own.

    Those that say nothing of their author are a client's, who knows whom it talks to.
    """
    blocks = message.pop(BLOCKS, None)
    by = message.pop(AUTHOR, None)
    if not isinstance(blocks, list) or by not in (None, author(model)):
        return []
    return [each for each in cast("list[Any]", blocks) if isinstance(each, dict)]


def of_kind(blocks: Iterable[Mapping[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """Returns the blocks of some kinds, without what we noted of them."""
    return [
        {name: value for name, value in block.items() if name != "details"}
        for block in blocks
        if block.get("type") in kinds
    ]


def signed_calls(
    message: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]
) -> list[tuple[dict[str, Any], str]]:
    """Returns the calls of a message that are signed, with their signatures."""
    calls = message.get("tool_calls") or []
    signed = {each.get("index"): each.get("signature", "") for each in of_kind(blocks, "call")}
    return [(call, signed[index]) for index, call in enumerate(calls) if signed.get(index)]
