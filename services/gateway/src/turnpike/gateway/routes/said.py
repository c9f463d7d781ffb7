"""What other vendors' clients say to agents, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.types import Scope

from turnpike.api.agent_runtime.v1 import thread_service_pb2, turn_service_pb2
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import ProblemError, invalid_field
from turnpike.gateway.requests import header, idempotency_key
from turnpike.gateway.session_ids import session_id

PREFIX = "agent/"
"""Begins the model's name where an agent is meant."""

THREAD = "x-turnpike-thread"
"""Names a thread, as a header and in a request's metadata."""

_TEXTS = frozenset({"text", "input_text", "output_text"})
_LONGEST_TEXT = 1_000_000
_MOST_TEXTS = 64
_MOST_NOTES, _LONGEST_NAME, _LONGEST_NOTE = 32, 64, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInput:
    """What is said to an agent."""

    texts: list[str]
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


def texts_of(content: Any, path: str) -> list[str]:
    """Returns the texts of a message's content.

    Raises:
        ProblemError: There is none, or something else than text.
    """
    parts = [content] if isinstance(content, str) else content
    texts = [_text(part, f"{path}[{i}]") for i, part in enumerate(parts or ())]
    texts = [text for text in texts if text]
    if not texts or len(texts) > _MOST_TEXTS:
        raise invalid_field(path, f"an agent is told 1 to {_MOST_TEXTS} texts")
    for text in texts:
        if len(text) > _LONGEST_TEXT or "\0" in text:
            raise invalid_field(path, f"a text has {_LONGEST_TEXT} characters at most, and no NUL")
    return texts


def agent_of(model: str) -> str:
    """Returns the agent that a model's name means, or an empty string."""
    return model.removeprefix(PREFIX) if model.startswith(PREFIX) else ""


async def start_request(
    call: Call, threads: ThreadServiceStub, scope: Scope, agent: str, said: AgentInput
) -> turn_service_pb2.StartTurnRequest:
    """Returns the request to start a turn where the client says.

    Raises:
        ProblemError: The metadata is not ours to keep, or there is no such thread.
    """
    notes = dict(said.metadata)
    thread = header(scope, THREAD.encode()) or notes.pop(THREAD, "")
    _check_notes(notes)
    if not thread and (session := session_of(scope, {"metadata": notes})):
        made = await call.read(
            threads.CreateThread, thread_service_pb2.CreateThreadRequest(session=session)
        )
        thread = made.thread.id
    return turn_service_pb2.StartTurnRequest(
        thread=str(thread)[:64],
        agent=agent,
        input=[turn_service_pb2.ContentPart(text=text) for text in said.texts],
        metadata=notes,
        request_id=idempotency_key(scope) or f"gateway-{uuid4()}",
    )


def session_of(scope: Scope, body: Mapping[str, Any]) -> str:
    """Returns what the client calls its conversation, or an empty string."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return session_id(headers, body)


def _text(part: Any, path: str) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) and part.get("type") in _TEXTS else None
    if not isinstance(text, str):
        raise ProblemError(
            400,
            "UNSUPPORTED_PARAMETER",
            f"{path}: an agent is told text alone",
            errors=invalid_field(path, "an agent is told text alone").errors,
        )
    return text


def _check_notes(notes: dict[str, Any]) -> None:
    fine = len(notes) <= _MOST_NOTES and all(
        isinstance(value, str)
        and 0 < len(name) <= _LONGEST_NAME
        and len(value) <= _LONGEST_NOTE
        and "\0" not in name + value
        for name, value in notes.items()
    )
    if not fine:
        raise invalid_field(
            "metadata",
            f"{_MOST_NOTES} pairs at most, of {_LONGEST_NAME} and {_LONGEST_NOTE} characters",
        )
