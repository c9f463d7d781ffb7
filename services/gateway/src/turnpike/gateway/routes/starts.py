"""What callers say to start a turn."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.gateway.problems import invalid
from turnpike.gateway.routes.agents import AgentSpec, spec_message
from turnpike.gateway.routes.faults import faults_of
from turnpike.gateway.routes.shapes import OTHER, TEXT, Metadata, Name, Request, Text, kind_of

Said = Annotated[Text, Field(min_length=1, max_length=1_000_000)]

_ON_BUSY = {"reject": pb.ON_BUSY_REJECT, "enqueue": pb.ON_BUSY_ENQUEUE}


class Part(Request):
    """A piece of what is said; only text until files are taken."""

    type: Literal["text"]
    text: Said


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
        input=[pb.ContentPart(text=text) for text in _texts(turn)],
        on_busy=_ON_BUSY[turn.on_busy],
        time_zone=turn.time_zone,
        metadata=turn.metadata,
        request_id=request_id,
        agent=agent if isinstance(agent, str) else None,
        inline_agent=None if isinstance(agent, str) else spec_message(agent),
    )


def _texts(turn: NewTurn) -> list[str]:
    return [turn.input] if isinstance(turn.input, str) else [part.text for part in turn.input]
