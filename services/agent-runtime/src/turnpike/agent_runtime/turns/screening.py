"""What a tenant's filters leave of what a turn is asked for with."""

from dataclasses import replace
from typing import Any

from turnpike.agent_runtime.approvals.screening import screened_document
from turnpike.agent_runtime.filters.screens import Screen
from turnpike.agent_runtime.turns.model import StartRequest
from turnpike.rpc.errors import InvalidArgumentError


def screened(screen: Screen, request: StartRequest) -> StartRequest:
    """Returns a request as a tenant's filters leave it.

    Raises:
        TextRefusedError: A filter refuses it.
        InvalidArgumentError: It can not be searched.
    """
    parts = [_screened(screen, i, part) for i, part in enumerate(request.input)]
    return replace(request, input=parts)


def _screened(screen: Screen, index: int, part: dict[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {**part, "text": screen.text(f"input[{index}].text", part["text"])}
    if "arguments" in part:
        return {**part, "arguments": _arguments(screen, part["arguments"])}
    return part


def _arguments(screen: Screen, document: str) -> str:
    field = "call.arguments"
    try:
        return screened_document(screen, field, document)
    except InvalidArgumentError:
        raise
    except ValueError as error:
        # What can be read in two ways could be sent past a filter.
        raise InvalidArgumentError(field, f"is no JSON: {error}") from None
