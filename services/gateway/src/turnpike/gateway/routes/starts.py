"""What callers say to start a turn."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.gateway.problems import invalid
from turnpike.gateway.routes.agents import AgentSpec, spec_message
from turnpike.gateway.routes.faults import faults_of
from turnpike.gateway.routes.shapes import OTHER, TEXT, Metadata, Name, Request, Text, kind_of

Said = Annotated[Text, Field(min_length=1, max_length=1_000_000)]

_ON_BUSY = {"reject": pb.ON_BUSY_REJECT, "enqueue": pb.ON_BUSY_ENQUEUE}


class TextPart(Request):
    """A text that is said."""

    type: Literal["text"]
    text: Said


class FilePart(Request):
    """A file that was uploaded: an image, or text."""

    type: Literal["file", "image"]
    file: Annotated[Text, Field(min_length=1, max_length=64, description="The file's id.")]


def _part_kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return OTHER if kind in ("file", "image") else TEXT


Part = Annotated[
    Annotated[TextPart, Tag(TEXT)] | Annotated[FilePart, Tag(OTHER)], Discriminator(_part_kind)
]
"""A piece of what is said."""


class NewTurn(Request):
    """A turn to start."""

    agent: Annotated[
        Annotated[Name, Tag(TEXT)] | Annotated[AgentSpec, Tag(OTHER)], Discriminator(kind_of)
    ] = Field(description="An agent's name, or the spec of an agent of this turn's own.")
    input: Annotated[
        Annotated[Said, Tag(TEXT)]
        | Annotated[list[Part], Field(min_length=1, max_length=64), Tag(OTHER)],
        Discriminator(kind_of),
    ]
    on_busy: Literal["reject", "enqueue"] = "reject"
    time_zone: Annotated[Text, Field(max_length=64, description="IANA; UTC by default.")] = ""
    metadata: Metadata = Field(default={})


_NEW_TURN = TypeAdapter(NewTurn)


def read_start(body: bytes, thread: str, request_id: str) -> pb.StartTurnRequest:
    """Returns the request to start a turn, or raises `ProblemError`.

    Args:
        body: What the caller sent.
        thread: Where; empty for a new thread.
        request_id: Tells one request, sent twice, from two.
    """
    try:
        turn = _NEW_TURN.validate_json(body)
    except ValidationError as error:
        raise invalid(faults_of(error.errors(include_url=False, include_input=False))) from None
    agent = turn.agent
    return pb.StartTurnRequest(
        thread=thread,
        input=_parts(turn),
        on_busy=_ON_BUSY[turn.on_busy],
        time_zone=turn.time_zone,
        metadata=turn.metadata,
        request_id=request_id,
        agent=agent if isinstance(agent, str) else None,
        inline_agent=None if isinstance(agent, str) else spec_message(agent),
    )


def _parts(turn: NewTurn) -> list[pb.ContentPart]:
    if isinstance(turn.input, str):
        return [pb.ContentPart(text=turn.input)]
    return [_part(part) for part in turn.input]


def _part(part: TextPart | FilePart) -> pb.ContentPart:
    if isinstance(part, TextPart):
        return pb.ContentPart(text=part.text)
    return pb.ContentPart(file=pb.FilePart(file=part.file, image=part.type == "image"))
