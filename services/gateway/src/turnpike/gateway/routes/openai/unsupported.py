"""What OpenAI's clients may ask of OpenAI, and not of us."""

from collections.abc import Iterable, Mapping
from typing import Any

from turnpike.gateway.problems import FieldError, ProblemError


def refuse_unsupported(body: dict[str, Any], harmless: Mapping[str, tuple[Any, ...]]) -> None:
    """Takes out of a body what asks for nothing, and refuses what cannot be had.

    Args:
        body: What the client sent.
        harmless: The fields that are not supported, each with the values that
            ask for nothing.

    Raises:
        ProblemError: One of them asks for something.
    """
    asked = [
        name
        for name, values in harmless.items()
        if body.get(name) is not None and body[name] not in values
    ]
    if asked:
        raise unsupported(asked)
    for name in harmless:
        body.pop(name, None)


def unsupported(names: Iterable[str], why: str = "is not supported here") -> ProblemError:
    """Returns the refusal of parameters."""
    errors = [FieldError(name, why) for name in names]
    detail = "; ".join(f"{each.field}: {each.message}" for each in errors)
    return ProblemError(400, "UNSUPPORTED_PARAMETER", detail, errors=errors)
