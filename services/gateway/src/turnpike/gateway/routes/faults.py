"""What pydantic finds wrong, as fields that callers know."""

from collections.abc import Iterable, Mapping
from typing import Any

from turnpike.gateway.problems import FieldError

_SOURCES = ("body", "query", "path", "header", "cookie")


def faults_of(errors: Iterable[Mapping[str, Any]], *, sources: bool = False) -> list[FieldError]:
    """Returns pydantic's errors.

    Args:
        errors: As pydantic or FastAPI lists them.
        sources: Whether paths begin with where the value was found, as
            FastAPI's do.
    """
    return [_fault(error, sources=sources) for error in errors]


def _fault(error: Mapping[str, Any], *, sources: bool) -> FieldError:
    if error["type"] == "json_invalid":
        return FieldError("", "the body is not JSON")
    location = list(error["loc"])
    if sources and location and location[0] in _SOURCES:
        location = location[1:]
    if not location and error["type"] == "missing":
        return FieldError("", "a JSON object is needed as the body")
    return FieldError(_path(location), _message(error))


def _path(location: Iterable[Any]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):  # a union's tag
            path += f".{part}" if path else part
    return path


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    message: str = error["msg"]
    return message.removeprefix("Value error, ")
