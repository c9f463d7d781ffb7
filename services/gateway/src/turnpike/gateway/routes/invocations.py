"""Calls of one tool, without a model: each is a turn of its own."""

import json
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field
from starlette.types import Receive, Scope, Send

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import TURN_STATUS_FAILED, Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.frames import Frames
from turnpike.gateway.logs import Log
from turnpike.gateway.problems import ProblemError
from turnpike.gateway.requests import accepts_events
from turnpike.gateway.routes import shapes, turns
from turnpike.gateway.routes.following import awaited, started
from turnpike.gateway.routes.replies import FRAME, header, problems, raw_reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.tools import ToolName
from turnpike.gateway.streams import Streams

_NAMES = {
    "start.call.definition_digest": "digest",
    "call.definition_digest": "digest",
    "start.call.": "",
    "call.": "",
    "start.": "",
}
_EVENT_STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
_LOCATION = {"Location": header("Where the turn is.")}
_TURN = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("AdminTurn", "Turn")]}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The turn, ended, with the result of its one call; or the stream.",
        "headers": _LOCATION,
        "content": {
            "application/json": {"schema": _TURN},
            "text/event-stream": {"schema": FRAME},
        },
    },
    202: {
        "description": "The turn, which waits for a person.",
        "headers": _LOCATION,
        "content": {"application/json": {"schema": _TURN}},
    },
}


class NewCall(shapes.Request):
    """A call to make."""

    arguments: dict[str, Any] = Field(default={})
    digest: Annotated[shapes.Text, Field(max_length=100)] = Field(
        default="", description="The definition that was seen; with another one it does not run."
    )
    metadata: shapes.Metadata = Field(default={}, description="Kept with the turn.")


class InvocationRoutes:
    """`/api/v1/tools/{tool}:call`."""

    def __init__(self, turns: TurnServiceStub, streams: Streams) -> None:
        self._turns = turns
        self._streams = streams

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the route."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/tools/{tool:path}:call",
            self.call_tool,
            methods=["POST"],
            response_model=None,
            responses={**problems(402, 404, 413, 415, 422), **_ANSWERS},
        )
        return router

    async def call_tool(
        self,
        call: CurrentCall,
        request: Request,
        tool: ToolName,
        body: NewCall | None = None,
        idempotency_key: Annotated[
            str,
            Header(max_length=255, description="The same key and payload give the same turn."),
        ] = "",
    ) -> Response:
        """Calls one tool, and returns the turn that this is once it has ended.

        Under the same policy, admission and ledger as what a model asks for. To who accepts
        events, the turn's stream.
        """
        asked = body or NewCall()
        start = pb.StartTurnRequest(
            call=pb.Invocation(
                tool=tool, arguments=written(asked.arguments), definition_digest=asked.digest
            ),
            metadata=asked.metadata,
            request_id=idempotency_key or f"gateway-{uuid4()}",
        )
        turn, log = await started(call, self._turns, start, _NAMES)
        location = {"location": f"/api/v1/turns/{turn.id}"}
        if accepts_events(request.scope):
            return _Streamed(self._streams, log, _EVENT_STREAM | location)
        turn = await awaited(call, self._turns, turn, log, _nobody)
        if missing := no_such_tool(turn):
            raise missing
        status = 200 if turn.HasField("finish_time") else 202
        return raw_reply(turns.write_turn(turn), status, location)


def written(arguments: dict[str, Any]) -> str:
    """Returns arguments as the document that a tool is sent."""
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


def no_such_tool(turn: Turn) -> ProblemError | None:
    """Returns the refusal of a call of what is not there, if that is how a turn ended."""
    error = turn.error
    if turn.status != TURN_STATUS_FAILED or error.reason != "TOOL_NOT_FOUND":
        return None
    return ProblemError(404, error.reason, error.message, metadata={"turn": turn.id})


async def _nobody(_events: Sequence[Event]) -> None:
    pass


class _Streamed(Response):
    """A turn's events as they come."""

    def __init__(self, streams: Streams, log: Log, headers: dict[str, str]) -> None:
        super().__init__()
        self._streams = streams
        self._log = log
        self._told = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._streams.serve(Frames(self._log), receive, send, self._told)
