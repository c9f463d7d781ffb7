"""Elements of a request: their bytes, their hashes, and what they mean."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec
import orjson

from turnpike.agent_runtime.models.openai_wire import message_to_wire, tools_to_wire
from turnpike.agent_runtime.models.prompt import Message, ToolDefinition, ToolUse
from turnpike.agent_runtime.models.thoughts import AUTHOR, BLOCKS, has_thoughts
from turnpike.agent_runtime.prefix.model import Difference

_EXCERPT = 48
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
# Servers say them in a reply; clients may leave them out when they say it again.
_THOUGHTS = ("reasoning", "reasoning_content", "reasoning_details", BLOCKS, AUTHOR)

_SIGNED = f'"{AUTHOR}"'.encode()


def tools_element(tools: Sequence[ToolDefinition]) -> bytes:
    """Returns the tools, as they are sent."""
    return orjson.dumps(tools_to_wire(tools))


def message_element(message: Message) -> bytes:
    """Returns a message, as it is sent."""
    return message.wire or orjson.dumps(message_to_wire(message))


def reply_element(text: str, calls: Sequence[ToolUse] = (), thoughts: str = "") -> bytes:
    """Returns a model's reply, as a client of the OpenAI wire sends it again."""
    message = Message(role="assistant", text=text, calls=tuple(calls), thoughts=thoughts)
    return message_element(message)


def split(document: bytes) -> list[bytes]:
    """Returns the elements of a JSON array, each with the bytes that it came in.

    Raises:
        ValueError: It is no JSON array.
    """
    return [bytes(element) for element in _RAW_LIST.decode(document)]


def chained(chain: bytes, elements: Iterable[bytes]) -> bytes:
    """Returns the running hash after further elements."""
    for element in elements:
        chain = hashlib.sha256(chain + element).digest()
    return chain


def size(elements: Iterable[bytes]) -> int:
    """Returns how many bytes elements have."""
    return sum(len(element) for element in elements)


def same(one: bytes, other: bytes) -> bool:
    """Says whether two elements mean the same, however they are written.

    Keys may be in another order, arguments re-spaced, a string be one text part, and what is
    absent be null or empty.
    """
    return one == other or _meaning(one) == _meaning(other)


def same_but_thoughts(one: bytes, other: bytes) -> bool:
    """Says whether two messages differ in the model's reasoning at most."""
    return _meaning(one, thoughts=False) == _meaning(other, thoughts=False)


def says_again(ours: bytes, theirs: bytes) -> bool:
    """Says whether a client repeats our reply, and leaves out what its provider signed.

    It was never told that, or has no words for it.
    """
    signed = _SIGNED in ours and not has_thoughts(theirs)
    return signed and same_but_thoughts(ours, theirs)


def is_marked(element: bytes) -> bool:
    """Says whether a client put a cache breakpoint of its own into a message."""
    return b'"cache_control"' in element


def difference(index: int, ledger: bytes, request: bytes) -> Difference:
    """Returns where two elements part, for a person to read; an absent one is empty."""
    # Of what means the same in part, the spelling is not what differs.
    ours, theirs = _canonical(ledger), _canonical(request)
    at = next(
        (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
        min(len(ours), len(theirs)),
    )
    begin = max(at - _EXCERPT // 2, 0)
    return Difference(
        element=index,
        kind=_kind(index, request or ledger),
        offset=at,
        ledger=_excerpt(ours, begin),
        request=_excerpt(theirs, begin),
    )


def _excerpt(text: bytes, begin: int) -> str:
    return text[begin : begin + _EXCERPT].decode("utf-8", "replace").replace("\0", "")


def _kind(index: int, element: bytes) -> str:
    if index == 0:
        return "tools"
    message = _loaded(element)
    return str(message.get("role", "")) if isinstance(message, dict) else ""


def _canonical(element: bytes) -> bytes:
    if not element:
        return b""
    return json.dumps(
        _loaded(element), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
    ).encode("utf-8", "replace")


def _loaded(element: bytes) -> Any:
    try:
        return json.loads(element, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return element.decode("utf-8", "replace")


def _meaning(element: bytes, *, thoughts: bool = True) -> object:
    loaded = _loaded(element)
    if not isinstance(loaded, dict):
        return _frozen(loaded)
    message = {
        key: value for key, value in loaded.items() if not _says_nothing(value) and key != "content"
    }
    if not thoughts:
        for key in _THOUGHTS:
            message.pop(key, None)
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [_call(call) for call in calls]
    message["content"] = _content(loaded.get("content"))
    return _frozen(message)


def _says_nothing(value: object) -> bool:
    return value is None or value == "" or value == []


def _content(content: Any) -> object:
    if _says_nothing(content):
        return ""
    if not isinstance(content, list):
        return content
    parts = [_unmarked(part) for part in cast("list[Any]", content)]
    first = parts[0]
    if len(parts) == 1 and isinstance(first, dict) and set(first) == {"type", "text"}:
        return first["text"] if first["type"] == "text" else parts
    return parts


def _unmarked(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {key: value for key, value in part.items() if key != "cache_control"}


def _call(call: Any) -> object:
    if not isinstance(call, dict):
        return call
    function = call.get("function")
    if not isinstance(function, dict):
        return call
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        arguments = _loaded(arguments.encode("utf-8", "replace"))
    return {
        **{key: value for key, value in call.items() if key != "index"},
        "type": call.get("type") or "function",
        "function": {**function, "arguments": arguments or {}},
    }


def _frozen(value: Any) -> object:
    if isinstance(value, Mapping):
        items = ((key, _frozen(each)) for key, each in value.items() if key != "cache_control")
        return ("object", tuple(sorted(items, key=lambda item: str(item[0]))))
    if isinstance(value, list):
        return ("array", tuple(_frozen(each) for each in value))
    # A Decimal is equal whatever its spelling; true is no number here.
    return (type(value).__name__, value)
