"""Whether one JSON Schema takes nothing that another does not take.

Only what can be seen by going through both at once is recognised; whatever is
harder counts as wider.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import orjson

_Schema: TypeAlias = Mapping[str, Any]

_LOWER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_HIGHER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})


def is_narrower(new: Any, old: Any) -> bool:
    """Says whether everything that `new` takes, `old` takes too; equal schemas are narrower."""
    if new == old:
        return True
    if not isinstance(new, dict) or not isinstance(old, dict):
        return new is False or old is True
    after, before = cast("dict[str, Any]", new), cast("dict[str, Any]", old)
    return all(_keeps(key, after, before) for key in after.keys() | before.keys())


def _keeps(key: str, new: _Schema, old: _Schema) -> bool:
    if new.get(key) == old.get(key):
        return True
    rule = _RULES.get(key)
    if rule is not None:
        return rule(new.get(key), old.get(key))
    if key in _LOWER or key in _HIGHER:
        return _bounds(key, new.get(key), old.get(key))
    # A demand that is new narrows; one that is gone, or is another, may not.
    return key in ("const", "pattern", "format", "multipleOf", "uniqueItems") and key not in old


def _bounds(key: str, new: Any, old: Any) -> bool:
    if not isinstance(new, int | float):
        return False
    if old is None:
        return True
    return isinstance(old, int | float) and (new <= old if key in _LOWER else new >= old)


def _types(new: Any, old: Any) -> bool:
    return old is None or (new is not None and _set_of(new) <= _set_of(old))


def _set_of(value: Any) -> set[str]:
    several = cast("list[Any]", value) if isinstance(value, list) else [value]
    named = {str(each) for each in several}
    # Every integer is a number.
    return named | {"integer"} if "number" in named else named


def _choices(new: Any, old: Any) -> bool:
    if not isinstance(new, list):
        return False
    return old is None or _values(new) <= _values(old)


def _values(listed: Any) -> set[bytes]:
    several = cast("list[Any]", listed) if isinstance(listed, list) else [listed]
    return {orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in several}


def _required(new: Any, old: Any) -> bool:
    return set(cast("list[str]", old or [])) <= set(cast("list[str]", new or []))


def _properties(new: Any, old: Any) -> bool:
    after, before = cast("dict[str, Any]", new or {}), cast("dict[str, Any]", old or {})
    return all(name in before and is_narrower(each, before[name]) for name, each in after.items())


def _others(new: Any, old: Any) -> bool:
    return new is False or old is None or old is True or (new is not None and is_narrower(new, old))


_RULES: dict[str, Callable[[Any, Any], bool]] = {
    "type": _types,
    "enum": _choices,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _others,
    "items": _others,
}
