"""Tool definitions: their canonical bytes, their digest, and what they demand of arguments."""

import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import orjson
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from turnpike.tool_registry.model import Tool, ToolState

MAX_NAME_LENGTH = 200
MAX_DEFINITION_BYTES = 256 * 1024

_FIELDS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_MAX_MESSAGES = 5
_SHOWN_CHARACTERS = 300


# References can make a short schema take for ever: each of two to each of two, and so on. Of the
# thread's own time: a process that was stopped for a moment is to check all the same.
_CHECK_SECONDS = 0.25
_until: ContextVar[float] = ContextVar("until", default=math.inf)


class _TooLongError(Exception):
    """Arguments take too long to check."""


class InvalidArgumentsError(ValueError):
    """Arguments are not what a tool takes; the message is for the model."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a tool says of itself, parsed."""

    description: str
    input_schema: dict[str, Any]
    annotations: dict[str, Any]
    input_schema_text: str
    """As JSON with sorted keys: the same bytes each time."""
    annotations_text: str

    @property
    def is_repeatable(self) -> bool:
        """Whether a call whose outcome is unknown may simply be made again."""
        return bool(
            self.annotations.get("readOnlyHint") is True
            or self.annotations.get("idempotentHint") is True
        )


def to_tool(connector: str, shown: Mapping[str, Any]) -> Tool | None:
    """Returns the tool that a server showed, or None for one that cannot be named or kept."""
    name = shown.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        return None
    if not name.isprintable():
        return None
    kept = {field: shown[field] for field in _FIELDS if shown.get(field) is not None}
    try:
        canonical = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # Such as an integer of more than 64 bits, or text that is no Unicode.
        return None
    if len(canonical) > MAX_DEFINITION_BYTES:
        return None
    return Tool(
        connector=connector,
        name=name,
        definition=canonical.decode(),
        digest=digest_of(canonical),
        state=ToolState.OK if _is_callable(kept) else ToolState.INVALID,
    )


def digest_of(canonical: bytes) -> str:
    """Returns the digest of a definition's canonical bytes."""
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def parse(definition: str) -> Definition:
    """Returns a stored definition, parsed; of one that is invalid, what is usable."""
    shown = cast("dict[str, Any]", orjson.loads(definition))
    description = shown.get("description")
    input_schema = _object_or_empty(shown.get("inputSchema"))
    annotations = _object_or_empty(shown.get("annotations"))
    return Definition(
        description=description if isinstance(description, str) else "",
        input_schema=input_schema,
        annotations=annotations,
        input_schema_text=_text_of(input_schema),
        annotations_text=_text_of(annotations),
    )


def parse_arguments(arguments: str, validator: Validator) -> dict[str, Any]:
    """Returns arguments that a tool takes.

    Raises:
        InvalidArgumentsError: They are no JSON object, or break the tool's schema.
    """
    try:
        # Not orjson, which makes a float of an integer of more than 64 bits.
        parsed = json.loads(arguments, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentsError(f"the arguments are not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise InvalidArgumentsError("the arguments are not a JSON object")
    if problems := list(_problems(validator, parsed)):
        raise InvalidArgumentsError("; ".join(problems))
    return cast("dict[str, Any]", parsed)


def validator_of(schema: Mapping[str, Any]) -> Validator:
    """Returns what checks arguments against a tool's input schema; it never fetches anything."""
    return _checker(validator_for(schema, default=Draft202012Validator))(
        dict(schema), registry=Registry()
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _problems(validator: Validator, arguments: Any) -> Iterator[str]:
    _until.set(time.thread_time() + _CHECK_SECONDS)
    try:
        for number, error in enumerate(validator.iter_errors(arguments)):
            if number == _MAX_MESSAGES:
                yield "and more"
                return
            yield _shown(error)
    except (Unresolvable, RecursionError, _TooLongError):
        # The schema leads nowhere for these arguments: the server is to judge.
        return


def _shown(error: ValidationError) -> str:
    message = error.message
    if len(message) > _SHOWN_CHARACTERS:
        message = message[:_SHOWN_CHARACTERS] + "…"
    return f"{error.json_path}: {message}"


def _is_callable(shown: Mapping[str, Any]) -> bool:
    schema = shown.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return False
    if not isinstance(shown.get("annotations", {}), dict):
        return False
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except (SchemaError, Unresolvable, RecursionError):
        return False
    return True


def _object_or_empty(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text_of(value: dict[str, Any]) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


@functools.cache
def _checker(draft: type[Validator]) -> type[Validator]:
    # A server could send a regular expression that takes for ever, on the loop
    # that all calls share. Expressions are left to the server to check.
    ignored = {"pattern": _ignored, "patternProperties": _ignored}
    additional = draft.VALIDATORS["additionalProperties"]

    def additional_properties(*arguments: Any) -> Any:
        return () if "patternProperties" in arguments[3] else additional(*arguments)

    references = {
        keyword: _bounded(draft.VALIDATORS[keyword])
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef")
        if keyword in draft.VALIDATORS
    }
    return extend(draft, {**ignored, **references, "additionalProperties": additional_properties})


def _bounded(check: Callable[..., Any]) -> Callable[..., Any]:
    def follow(*arguments: Any) -> Any:
        if time.thread_time() > _until.get():
            raise _TooLongError
        return check(*arguments)

    return follow


def _ignored(*_arguments: object) -> Iterator[ValidationError]:
    return iter(())
