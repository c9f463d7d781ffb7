"""Turns as they happen: what starts them, their events, and how many wait for a person.

These are plain ASGI applications: what they do is done for every word of
every answer.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import uuid4

import grpc
from starlette.datastructures import QueryParams
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.edge import HEAD
from turnpike.gateway.frames import Frames
from turnpike.gateway.inbox import watch_inbox
from turnpike.gateway.logs import run, start, watch
from turnpike.gateway.problems import of_remote
from turnpike.gateway.requests import (
    accepts_events,
    cursor,
    idempotency_key,
    read_body,
    while_connected,
)
from turnpike.gateway.routes.replies import raw_reply
from turnpike.gateway.routes.route import Entrance
from turnpike.gateway.routes.starts import read_start
from turnpike.gateway.routes.turns import write_turn
from turnpike.gateway.streams import Streams
from turnpike.rpc.errors import from_rpc_error

Application: TypeAlias = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

_NAMES = {"start.inline_agent": "agent", "inline_agent": "agent", "start.": ""}
_EVENT_STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class StreamRoutes:
    """What starts turns, what shows their events, and what waits."""

    def __init__(
        self,
        entrance: Entrance,
        turns: TurnServiceStub,
        approvals: ApprovalServiceStub,
        streams: Streams,
    ) -> None:
        self._entrance = entrance
        self._turns = turns
        self._approvals = approvals
        self._streams = streams

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [
            _route("/api/v1/turns:run", self.run_turn, "POST"),
            _route("/api/v1/threads/{thread:name}/turns", self.start_turn, "POST"),
            _route("/api/v1/turns/{turn:name}/events", self.watch_turn, "GET"),
            _route("/api/v1/approvals:watch", self.watch_approvals, "GET"),
        ]

    async def run_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starts a turn in a new thread, and streams it."""
        call, request = await self._read(scope, receive, "")
        await self._run(call, request, receive, send)

    async def start_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starts a turn in a thread, and streams it to who accepts events."""
        call, request = await self._read(scope, receive, scope["path_params"]["thread"])
        if accepts_events(scope):
            await self._run(call, request, receive, send)
            return
        repeatable = bool(idempotency_key(scope))
        async with while_connected(receive), _refusals():
            started = await start(call, self._turns, request)
        turn: Turn = started.turn
        # A request that was given its id here is new, even if it was sent twice.
        status = 201 if started.created or not repeatable else 200
        response = raw_reply(write_turn(turn), status, {"location": f"/api/v1/turns/{turn.id}"})
        await response(scope, receive, send)

    async def watch_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams a turn's events after a number."""
        turn: str = scope["path_params"]["turn"]
        query = QueryParams(scope["query_string"])
        credential = self._entrance.authentication.identify_reader(scope, turn, query.get("token"))
        await credential.token()
        after = cursor(scope, query.getlist("after"))
        call = Call(credential, self._entrance.patience)
        async with while_connected(receive):
            log = await watch(call, self._turns, turn, after)
        if log.ended:
            await _send_empty(send, 204)
        elif scope.get(HEAD):
            log.close()
            await _send_empty(send, 200, _EVENT_STREAM)
        else:
            await self._streams.serve(Frames(log), receive, send, _EVENT_STREAM)

    async def watch_approvals(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams how many approvals wait for the caller."""
        call = self._entrance.admit(scope)
        await call.credential.token()
        async with while_connected(receive), _refusals():
            inbox = await watch_inbox(call, self._approvals)
        if scope.get(HEAD):
            inbox.close()
            await _send_empty(send, 200, _EVENT_STREAM)
        else:
            await self._streams.serve(inbox, receive, send, _EVENT_STREAM)

    async def _read(
        self, scope: Scope, receive: Receive, thread: str
    ) -> tuple[Call, pb.StartTurnRequest]:
        call = self._entrance.admit(scope)
        # First of all, so that strangers learn nothing of what a body may hold.
        await call.credential.token()
        body = await read_body(scope, receive, self._entrance.max_body_bytes)
        request_id = idempotency_key(scope) or f"gateway-{uuid4()}"
        return call, read_start(body, thread, request_id)

    async def _run(
        self, call: Call, request: pb.StartTurnRequest, receive: Receive, send: Send
    ) -> None:
        async with while_connected(receive), _refusals():
            turn, log = await run(call, self._turns, request)
        headers = _EVENT_STREAM | {"location": f"/api/v1/turns/{turn.id}"}
        await self._streams.serve(Frames(log), receive, send, headers)


@asynccontextmanager
async def _refusals() -> AsyncGenerator[None]:
    """Tells why a turn was not started in words of the request that asked for it."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error), _NAMES) from error


class _Asgi:
    """An ASGI application that Starlette does not take for a function of a request."""

    def __init__(self, serve: Application) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _route(path: str, serve: Application, method: str) -> Route:
    return Route(path, _Asgi(serve), methods=[method], include_in_schema=False)


async def _send_empty(send: Send, status: int, headers: Mapping[str, str] = {}) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
