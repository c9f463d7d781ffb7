"""How a tool's definition differs from the one that was approved, and which differences matter.

What a model reads or what may be sent counts: a changed word, a wider schema, another
hint about effects. What only people see, and what asks less of a tool than before,
passes by itself.
"""

import functools
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, cast

import orjson

from turnpike.tool_registry.narrowing import is_narrower

_Json: TypeAlias = Mapping[str, Any]

_ALIKE = 0.8
_COMPARED_CHARACTERS = 2000
_COMPARED_TOOLS = 50
_LONGEST_TITLE = 100
# What the protocol assumes of a hint that is not given.
_HINTS = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}
_TEXTS = frozenset({"title", "description", "$comment", "examples", "default", "deprecated"})
# Below these, keys are names of the server's own and not keywords.
_NAMED = frozenset({"properties", "$defs", "definitions", "patternProperties"})


class Drift(StrEnum):
    """In which way a definition differs."""

    COSMETIC = "COSMETIC"
    """Title, spacing, order of keys."""

    NARROWED = "NARROWED"
    """The input schema takes less than before."""

    DESCRIPTION = "DESCRIPTION"
    """What a model is told, in the description or in a schema."""

    SCHEMA = "SCHEMA"
    """The input schema takes more, or other things."""

    OUTPUT_SCHEMA = "OUTPUT_SCHEMA"
    """The output schema."""

    ANNOTATIONS = "ANNOTATIONS"
    """The hints about effects."""

    NEW = "NEW"
    """The connector had no such tool."""

    RENAMED = "RENAMED"
    """The connector had it under another name."""


HARMLESS = frozenset({Drift.COSMETIC, Drift.NARROWED})


def drift_of(pinned: str, shown: str) -> frozenset[Drift]:
    """Returns how the definition `shown` differs from `pinned`; both are canonical JSON."""
    if pinned == shown:
        return frozenset()
    before, after = _parsed(pinned), _parsed(shown)
    found = set(_text_drift(before, after)) | set(_schema_drift(before, after))
    if _hints(before) != _hints(after):
        found.add(Drift.ANNOTATIONS)
    return frozenset(found or {Drift.COSMETIC})


def is_harmless(drift: Iterable[Drift]) -> bool:
    """Says whether nobody needs to look at these differences."""
    return HARMLESS.issuperset(drift)


def renamed_from(shown: str, gone: Mapping[str, str]) -> str:
    """Returns the name of the tool in `gone`, definitions by name, that a new one was before.

    It is the one whose description, or whose schema with anything in it, is nearly
    equal; an empty text when there is none.
    """
    after = _parsed(shown)
    # Among very many a rename is not looked for: each is compared with each.
    names = sorted(gone)[:_COMPARED_TOOLS]
    likeness = {name: _likeness(_parsed(gone[name]), after) for name in names}
    best = max(names, key=lambda name: likeness[name], default="")
    return best if best and likeness[best] >= _ALIKE else ""


def _text_drift(before: _Json, after: _Json) -> Iterable[Drift]:
    if _words(before.get("description")) != _words(after.get("description")):
        yield Drift.DESCRIPTION
    title = after.get("title")
    if before.get("title") != title and len(str(title or "")) > _LONGEST_TITLE:
        yield Drift.DESCRIPTION


def _schema_drift(before: _Json, after: _Json) -> Iterable[Drift]:
    old, new = _object(before.get("inputSchema")), _object(after.get("inputSchema"))
    old_texts, new_texts = dict(_schema_texts(old, ())), dict(_schema_texts(new, ()))
    # A text that went with its property is no loss; one that only went is a change.
    kept = {path for path in old_texts if _leads_somewhere(new, path[:-1])}
    if {path: old_texts[path] for path in kept} != new_texts:
        yield Drift.DESCRIPTION
    old_shape, new_shape = _shape(old), _shape(new)
    if old_shape != new_shape:
        yield Drift.NARROWED if is_narrower(new_shape, old_shape) else Drift.SCHEMA
    if _canonical(before.get("outputSchema")) != _canonical(after.get("outputSchema")):
        yield Drift.OUTPUT_SCHEMA


def _hints(definition: _Json) -> dict[str, Any]:
    given = _object(definition.get("annotations"))
    hints = {name: given.get(name, default) for name, default in _HINTS.items()}
    # A hint that nobody knows yet may come to mean something.
    others = {name: value for name, value in given.items() if name not in (*_HINTS, "title")}
    return hints | others


def _schema_texts(schema: Any, path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str]]:
    if isinstance(schema, list):
        for number, each in enumerate(cast("list[Any]", schema)):
            yield from _schema_texts(each, (*path, str(number)))
    if not isinstance(schema, dict):
        return
    is_named = bool(path) and path[-1] in _NAMED
    for key, value in cast("dict[str, Any]", schema).items():
        if key in _TEXTS and not is_named:
            yield (*path, key), _words(value)
        else:
            yield from _schema_texts(value, (*path, key))


def _shape(schema: Any, *, is_named: bool = False) -> Any:
    """Returns a schema without its texts."""
    if isinstance(schema, list):
        return [_shape(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _shape(value, is_named=key in _NAMED and not is_named)
        for key, value in cast("dict[str, Any]", schema).items()
        if is_named or key not in _TEXTS
    }


def _leads_somewhere(schema: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if isinstance(schema, list):
            several = cast("list[Any]", schema)
            schema = several[int(key)] if int(key) < len(several) else None
        else:
            schema = cast("dict[str, Any]", schema).get(key) if isinstance(schema, dict) else None
        if schema is None:
            return False
    return True


def _likeness(before: _Json, after: _Json) -> float:
    old, new = _words(before.get("description")), _words(after.get("description"))
    schemas = (_object(before.get("inputSchema")), _object(after.get("inputSchema")))
    if schemas[0].get("properties") and _shape(schemas[0]) == _shape(schemas[1]):
        return 1.0
    if not old or not new:
        return 0.0
    ours, theirs = _trigrams(old), _trigrams(new)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


@functools.lru_cache(maxsize=256)
def _trigrams(text: str) -> frozenset[str]:
    short = f"  {text[:_COMPARED_CHARACTERS]} "
    return frozenset(short[at : at + 3] for at in range(len(short) - 2))


def _words(value: object) -> str:
    """Returns a text with its spacing evened out; what is no text, as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _canonical(value)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _canonical(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _parsed(definition: str) -> dict[str, Any]:
    return cast("dict[str, Any]", orjson.loads(definition))
