"""Whether what people write fits a JSON Schema."""

import functools
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, cast

import regex
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

_MOST_PROBLEMS = 5
_SHOWN_CHARACTERS = 300
# References can make a short schema take for ever: each of two to each of two, and so on. It is
# what this thread works that counts: a machine that stands still refuses nobody.
_CHECK_SECONDS = 0.25
_INAPPLICABLE = "its schema cannot be applied"
_until: ContextVar[float] = ContextVar("until", default=math.inf)


class _TooLongError(Exception):
    """It takes too long to check."""


def parse(document: str) -> Any:
    """Returns a JSON document; raises `ValueError` for what is none, or could be read in two ways.

    Integers stay integers, however long.
    """
    try:
        return json.loads(document, parse_constant=_refuse, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("it is too deep") from error


def problems(schema: str, value: Any) -> list[str]:
    """Returns what keeps a value from fitting a schema; what cannot be checked does not fit."""
    try:
        parsed: Any = json.loads(schema or "{}")
        kind: Any = validator_for(parsed, default=Draft202012Validator)
        # A validator's own way to these would run expressions without end.
        if "unevaluatedProperties" in schema and "patternProperties" in schema:
            return [_INAPPLICABLE]
        validator: Validator = _checker(kind)(parsed, registry=Registry())
        return list(_shown(validator, value))
    except (Unresolvable, RecursionError, _TooLongError, SchemaError, ValueError, TypeError):
        return [_INAPPLICABLE]


def is_schema(schema: dict[str, Any]) -> bool:
    """Says whether a schema is one that anything can be checked by."""
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except (SchemaError, Unresolvable, RecursionError):
        return False
    return True


def _shown(validator: Validator, value: Any) -> Iterator[str]:
    _until.set(time.thread_time() + _CHECK_SECONDS)
    for number, error in enumerate(validator.iter_errors(value)):
        if number == _MOST_PROBLEMS:
            yield "and more"
            return
        yield _told(error)


def _told(error: ValidationError) -> str:
    message = error.message
    if len(message) > _SHOWN_CHARACTERS:
        message = message[:_SHOWN_CHARACTERS] + "…"
    return f"{error.json_path}: {message}"


@functools.cache
def _checker(draft: Any) -> Any:
    """Returns a validator that stops: expressions and references can be made to take for ever."""
    checks = cast("Mapping[str, Callable[..., Any]]", draft.VALIDATORS)
    timed = {name: _stopping(check) for name, check in checks.items()}
    timed |= {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    return extend(draft, timed)


def _stopping(check: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*arguments: Any) -> Iterator[ValidationError]:
        if time.thread_time() > _until.get():
            raise _TooLongError
        yield from check(*arguments) or ()

    return checked


def _found(pattern: str, text: str) -> bool:
    left = _until.get() - time.thread_time()
    if left <= 0:
        raise _TooLongError
    try:
        return regex.search(pattern, text, timeout=min(left, _CHECK_SECONDS)) is not None
    except (TimeoutError, regex.error) as error:
        raise _TooLongError from error


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _found(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], value: Any, _: Any
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    named = cast("dict[str, Any]", value)
    for pattern, schema in patterns.items():
        for name, each in named.items():
            if _found(pattern, name):
                yield from validator.descend(each, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, additional: Any, value: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, each in cast("dict[str, Any]", value).items():
        if name in known or any(_found(pattern, name) for pattern in patterns):
            continue
        if additional is False:
            yield ValidationError(f"{name!r} is not expected")
        elif isinstance(additional, dict):
            yield from validator.descend(each, additional, path=name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name is there twice")
    return read


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
