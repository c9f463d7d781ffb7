"""What other vendors' clients say to agents, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.types import Scope

from turnpike.api.agent_runtime.v1 import thread_service_pb2, turn_service_pb2
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.requests import header, idempotency_key
from turnpike.gateway.routes.attachments import Attachment, attachment_of
from turnpike.gateway.session_ids import session_id

PREFIX = "agent/"
"""Begins the model's name where an agent is meant."""

THREAD = "x-turnpike-thread"
"""Names a thread, as a header and in a request's metadata."""

_TEXTS = frozenset({"text", "input_text", "output_text"})
_LONGEST_TEXT = 1_000_000
_MOST_PARTS = 64
_MOST_NOTES, _LONGEST_NAME, _LONGEST_NOTE = 32, 64, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInput:
    """What is said to an agent."""

    parts: list[str | Attachment]
    fields: list[str]
    """Where the request has each."""

    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


def said_to_agent(content: Any, path: str, metadata: Mapping[str, Any] | None = None) -> AgentInput:
    """Returns what a message says to an agent.

    Raises:
        ProblemError: It says nothing, or what no agent is told.
    """
    given = [content] if isinstance(content, str) else list(content or ())
    fields = [f"{path}[{i}]" for i in range(len(given))]
    said = [(_part(part, field), field) for part, field in zip(given, fields, strict=True)]
    said = [(part, field) for part, field in said if part]
    if not said or len(said) > _MOST_PARTS:
        raise invalid_field(path, f"an agent is told 1 to {_MOST_PARTS} texts, images and files")
    for part, _ in said:
        if isinstance(part, str) and (len(part) > _LONGEST_TEXT or "\0" in part):
            raise invalid_field(path, f"a text has {_LONGEST_TEXT} characters at most, and no NUL")
    return AgentInput(
        parts=[part for part, _ in said],
        fields=[field for _, field in said],
        metadata=dict(metadata or {}),
    )


def agent_of(model: str) -> str:
    """Returns the agent that a model's name means, or an empty string."""
    return model.removeprefix(PREFIX) if model.startswith(PREFIX) else ""


async def start_request(
    call: Call,
    threads: ThreadServiceStub,
    files: FileServiceStub,
    scope: Scope,
    agent: str,
    said: AgentInput,
) -> turn_service_pb2.StartTurnRequest:
    """Returns the request to start a turn where the client says.

    Raises:
        ProblemError: The metadata is not ours to keep, there is no such thread, or a file that
            came along is not kept.
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
        input=[
            turn_service_pb2.ContentPart(text=part)
            if isinstance(part, str)
            else await part.part(call, files)
            for part in said.parts
        ],
        metadata=notes,
        request_id=idempotency_key(scope) or f"gateway-{uuid4()}",
    )


def session_of(scope: Scope, body: Mapping[str, Any]) -> str:
    """Returns what the client calls its conversation, or an empty string."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return session_id(headers, body)


def _part(part: Any, field: str) -> str | Attachment:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) and part.get("type") in _TEXTS else None
    return text if isinstance(text, str) else attachment_of(part, field)


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
