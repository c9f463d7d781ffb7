"""Turns as they stand: to read, to list, to cancel."""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolCall as ToolCallMessage
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn as TurnMessage
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.approval_documents import pending_document
from turnpike.gateway.documents import embed_any, embed_array, embed_object, rfc3339
from turnpike.gateway.events import OUTCOMES, STATUSES, error_document
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.approvals import AskedCall, Decided, Question
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, raw_reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time, Usage

Status = Literal[
    "QUEUED", "RUNNING", "WAITING", "COMPLETED", "FAILED", "CANCELLED", "EXPIRED", "REFUSED"
]
Outcome = Literal["OK", "ERROR", "DENIED", "REJECTED", "CANCELLED", "UNKNOWN"]

Agent = Annotated[str, Query(max_length=64, description="Only turns of this agent.")]
Statuses = Annotated[
    list[str],
    Query(
        max_length=64,
        description="Only turns in one of these; several, or one with commas.",
        json_schema_extra={"items": {"type": "string", "enum": list(Status.__args__)}},
    ),
]

_STATUSES = [name for value, name in STATUSES.items() if value]


class Call(Reply):
    """A tool call of a turn."""

    call_id: str
    name: str
    arguments: dict[str, Any] | str = Field(
        description="As the model wrote them; a string where that is no JSON object."
    )
    outcome: Outcome | None
    result: list[Any] | None
    structured: Any = Field(description="The structured result, where there is one.")
    effect: str


class Error(Reply):
    """Why a turn did not complete."""

    reason: str
    message: str


class PendingApproval(Reply):
    """What a turn waits for."""

    id: str
    calls: list[AskedCall]
    questions: list[Question]
    decisions: list[Decided]
    expires: Time
    escalated: bool


class Turn(Reply):
    """A turn, folded at number `seq` of its log."""

    id: str
    thread: str
    status: Status
    waiting_for: Literal["approval", "provider", "child", "admission"] | None
    agent: str
    agent_version: str
    seq: int
    text: str
    calls: list[Call]
    approval: PendingApproval | None = Field(description="What it waits for, while it does.")
    usage: Usage
    error: Error | None
    metadata: dict[str, str]
    created: Time
    finished: Time | None


class AdminTurn(Turn):
    """A turn as an admin sees it."""

    owner: str
    fence: int


class TurnPage(Reply):
    """A page of turns, newest first."""

    turns: list[AdminTurn | Turn]
    next_page_token: str


class TurnRoutes:
    """`/api/v1/turns`, but for what streams."""

    def __init__(self, turns: TurnServiceStub) -> None:
        self._turns = turns

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/turns",
            self.list_turns,
            methods=["GET"],
            response_model=TurnPage,
            responses=problems(404),
        )
        router.add_api_route(
            "/api/v1/threads/{thread:name}/turns",
            self.list_turns_of_thread,
            methods=["GET"],
            response_model=TurnPage,
            responses=problems(404),
        )
        router.add_api_route(
            "/api/v1/turns/{turn:name}",
            self.get_turn,
            methods=["GET"],
            response_model=AdminTurn | Turn,
            responses=problems(404),
        )
        router.add_api_route(
            "/api/v1/turns/{turn:name}:cancel",
            self.cancel_turn,
            methods=["POST"],
            response_model=AdminTurn | Turn,
            responses=problems(404, 413, 415),
        )
        return router

    async def list_turns(
        self,
        call: CurrentCall,
        page: Page,
        status: Statuses = [],  # noqa: B006 # FastAPI copies it
        agent: Agent = "",
        thread: Annotated[str, Query(max_length=64, description="Only turns of this thread.")] = "",
    ) -> Response:
        """Lists turns across threads, newest first."""
        request = pb.ListTurnsRequest(
            **page,
            thread=thread,
            statuses=_statuses(status),
            agent=agent,
        )
        return _page(await call.read(self._turns.ListTurns, request))

    async def list_turns_of_thread(
        self,
        call: CurrentCall,
        thread: str,
        page: Page,
        status: Statuses = [],  # noqa: B006 # FastAPI copies it
        agent: Agent = "",
    ) -> Response:
        """Lists a thread's turns, newest first."""
        return await self.list_turns(call, page, status, agent, thread)

    async def get_turn(self, call: CurrentCall, turn: str) -> Response:
        """Returns a turn as it stands, while it runs too; watch on after its `seq`."""
        response = await call.read(self._turns.GetTurn, pb.GetTurnRequest(turn=turn))
        return raw_reply(write_turn(response.turn), headers={"cache-control": "no-store"})

    async def cancel_turn(self, call: CurrentCall, turn: str) -> Response:
        """Cancels a turn, and returns it when it has ended; what it said is kept."""
        response = await call.read(self._turns.CancelTurn, pb.CancelTurnRequest(turn=turn))
        return raw_reply(write_turn(response.turn))


def write_turn(turn: TurnMessage) -> bytes:
    """Returns a turn as JSON."""
    return orjson.dumps(turn_document(turn))


def turn_document(turn: TurnMessage) -> dict[str, Any]:
    """Returns a turn as what its JSON is written from."""
    usage = turn.usage
    document: dict[str, Any] = {
        "id": turn.id,
        "thread": turn.thread,
        "status": STATUSES.get(turn.status, "RUNNING"),
        "waiting_for": turn.waiting_for or None,
        "agent": turn.agent,
        "agent_version": turn.agent_version,
        "seq": turn.seq,
        "text": turn.text,
        "calls": [_call(call) for call in turn.calls],
        "approval": pending_document(turn.approval) if turn.HasField("approval") else None,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "cost_micro_usd": usage.cost_micro_usd,
        },
        "error": error_document(turn.error) if turn.HasField("error") else None,
        "metadata": dict(turn.metadata),
        "created": rfc3339(turn.create_time),
        "finished": time_of(turn, "finish_time"),
    }
    # Only admins are told who runs it. A fence without an owner is one of a
    # turn that waits or has ended.
    if turn.owner or turn.fence:
        document |= {"owner": turn.owner, "fence": turn.fence}
    return document


def _call(call: ToolCallMessage) -> dict[str, Any]:
    ended = call.outcome != 0
    return {
        "call_id": call.call_id,
        "name": call.name,
        "arguments": embed_object(call.arguments),
        "outcome": OUTCOMES[call.outcome] if ended else None,
        "result": embed_array(call.result) if ended else None,
        "structured": embed_any(call.structured) if call.structured else None,
        "effect": call.effect,
    }


def _statuses(given: list[str]) -> list[str]:
    names = [name.strip() for each in given for name in each.split(",") if name.strip()]
    for name in names:
        if name not in _STATUSES:
            raise invalid_field("status", f"{name!r} is none of {', '.join(_STATUSES)}")
    return [f"TURN_STATUS_{name}" for name in names]


def _page(response: pb.ListTurnsResponse) -> Response:
    page = {
        "turns": [turn_document(turn) for turn in response.turns],
        "next_page_token": response.next_page_token,
    }
    return raw_reply(orjson.dumps(page), headers={"cache-control": "no-store"})
