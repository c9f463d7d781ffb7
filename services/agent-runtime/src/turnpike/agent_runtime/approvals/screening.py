"""What a tenant's filters leave of what people decide with."""

import json
from collections.abc import Sequence
from dataclasses import replace

from turnpike.agent_runtime.approvals.model import Decision, Kind
from turnpike.agent_runtime.approvals.schemas import parse
from turnpike.agent_runtime.filters.screens import Screen
from turnpike.rpc.errors import InvalidArgumentError


def screened(screen: Screen, decisions: Sequence[Decision]) -> Sequence[Decision]:
    """Returns decisions as a tenant's filters leave them.

    Raises:
        TextRefusedError: A filter refuses one.
        InvalidArgumentError: One can not be searched.
    """
    return [_screened(screen, f"decisions[{i}]", each) for i, each in enumerate(decisions)]


def screened_document(screen: Screen, field: str, document: str) -> str:
    """Returns a JSON document as filters leave it: verbatim, unless one masks something.

    Raises:
        TextRefusedError: A filter refuses a text of it.
        InvalidArgumentError: It can not be searched.
        ValueError: It is no JSON, or could be read in two ways.
    """
    value = parse(document)
    try:
        left = screen.value(field, value)
        return document if left == value else json.dumps(left, ensure_ascii=False)
    except RecursionError:
        raise InvalidArgumentError(field, "is too deep") from None


def _screened(screen: Screen, path: str, decision: Decision) -> Decision:
    if decision.scope:
        # What is masked there would stand for something else.
        _check(screen, f"{path}.scope", decision.scope)
    text = screen.text(f"{path}.text", decision.text)
    if decision.kind == Kind.ANSWER:
        # It may be read as JSON, in which a text can be written in several ways.
        text = _document(screen, f"{path}.text", text)
    return replace(
        decision,
        arguments=_document(screen, f"{path}.arguments", decision.arguments),
        text=text,
        feedback=screen.text(f"{path}.feedback", decision.feedback),
    )


def _document(screen: Screen, field: str, document: str) -> str:
    try:
        return screened_document(screen, field, document) if document else document
    except InvalidArgumentError:
        raise
    except ValueError:
        # Whoever checks it says so, or reads it as the text that was screened.
        return document


def _check(screen: Screen, field: str, document: str) -> None:
    try:
        screen.untouched(field, parse(document))
    except ValueError:
        screen.untouched(field, document)
