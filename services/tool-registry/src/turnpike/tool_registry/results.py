"""Results of calls, cut to what a turn can carry."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import orjson

from turnpike.tool_registry.model import CallStatus, Outcome

MAX_RESULT_BYTES = 1024 * 1024

_ROOM_FOR_NOTE = 512


def from_answer(answer: Mapping[str, Any]) -> Outcome:
    """Returns the outcome that a server's `tools/call` result states, however large."""
    shown = answer.get("content")
    blocks = cast("list[Any]", shown) if isinstance(shown, list) else []
    failed = answer.get("isError") is True
    return Outcome(
        status=CallStatus.FAILED if failed else CallStatus.SUCCEEDED,
        reason="TOOL_ERROR" if failed else "",
        result=_encoded(blocks).decode(),
        structured=_structured(answer.get("structuredContent")),
    )


def capped(outcome: Outcome) -> Outcome:
    """Returns an outcome that a turn can carry."""
    if len(outcome.result) * 4 <= MAX_RESULT_BYTES:
        return outcome
    return replace(outcome, result=_capped(orjson.loads(outcome.result)))


def blocks_of(outcome: Outcome) -> list[Any]:
    """Returns an outcome's content blocks."""
    return orjson.loads(outcome.result) if outcome.result else []


def with_blocks(outcome: Outcome, blocks: list[Any]) -> Outcome:
    """Returns an outcome with other content blocks."""
    return replace(outcome, result=_encoded(blocks).decode())


def text_block(text: str) -> dict[str, str]:
    """Returns a content block that is a text."""
    return _text(text)


def failure(reason: str, message: str) -> Outcome:
    """Returns a failed outcome whose result tells the model why."""
    return Outcome(status=CallStatus.FAILED, reason=reason, result=_capped([_text(message)]))


def said(text: str) -> str:
    """Returns a text as a result; an empty one as an empty result."""
    return _capped([_text(text)] if text else [])


def input_required(message: str, wanted: Mapping[str, Any]) -> Outcome:
    """Returns the outcome of a call whose server wants something from a person first."""
    return Outcome(
        status=CallStatus.FAILED,
        reason="INPUT_REQUIRED",
        result=_capped([_text(message)]),
        structured=_structured(wanted),
    )


def unknown(message: str) -> Outcome:
    """Returns the outcome of a call that may or may not have had its effect."""
    return Outcome(
        status=CallStatus.UNKNOWN, reason="OUTCOME_UNKNOWN", result=_capped([_text(message)])
    )


def _structured(content: object) -> str:
    if content is None:
        return ""
    encoded = _encoded(content)
    return encoded.decode() if len(encoded) <= MAX_RESULT_BYTES else ""


def _capped(blocks: list[Any]) -> str:
    encoded = _encoded(blocks)
    if len(encoded) <= MAX_RESULT_BYTES:
        return encoded.decode()
    kept: list[Any] = []
    room = MAX_RESULT_BYTES - _ROOM_FOR_NOTE
    for block in blocks:
        size = len(_encoded(block)) + 1
        if size > room:
            kept.extend(_beginning(block, room))
            break
        kept.append(block)
        room -= size
    note = f"[The result was cut: it had {len(encoded)} bytes, {MAX_RESULT_BYTES} are kept.]"
    return _encoded([*kept, _text(note)]).decode()


def _beginning(block: Any, room: int) -> list[Any]:
    text = block.get("text") if isinstance(block, dict) else None
    if not isinstance(text, str):
        return [_text(_named(block))]
    # Escaped, a character may take six bytes: take what surely fits.
    cut = text[: max(0, room // 6)]
    while (longer := text[: len(cut) + max(1, len(cut) // 8)]) != cut:
        if len(_encoded(_text(longer))) + 1 > room:
            break
        cut = longer
    return [_text(cut)] if cut else []


def _named(block: Any) -> str:
    """Returns what stands for a block that is too large."""
    shown = cast("dict[str, Any]", block) if isinstance(block, dict) else {}
    resource = shown.get("resource")
    inner = cast("dict[str, Any]", resource) if isinstance(resource, dict) else shown
    kind = str(shown.get("type", "block"))[:40]
    mime = str(inner.get("mimeType", ""))[:80]
    return f"[{kind} {mime} of {len(_encoded(block))} bytes was left out]"


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Such as an integer of more than 64 bits, or half a surrogate pair.
        return json.dumps(value, separators=(",", ":")).encode()
