"""Finding the turn that an older client cancels: by its session, and its request's id."""

from typing import Any

from starlette.types import Scope

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.requests import header

SESSION = b"mcp-session-id"

_LONGEST = 128
_SESSION = "mcp.session"
_REQUEST = "mcp.request"
_OPEN = (
    TurnStatus.TURN_STATUS_QUEUED,
    TurnStatus.TURN_STATUS_RUNNING,
    TurnStatus.TURN_STATUS_WAITING,
)


def origin(scope: Scope, request: Any) -> dict[str, str]:
    """Returns what a turn keeps of the request that it comes from; nothing without a session."""
    session = header(scope, SESSION)
    if not session or len(session) > _LONGEST or len(str(request)) > _LONGEST:
        return {}
    return {_SESSION: session, _REQUEST: repr(request)}


async def cancel_request(call: Call, turns: TurnServiceStub, scope: Scope, request: Any) -> None:
    """Cancels the open turn of the caller's that a request of the same session started.

    No replica keeps sessions: the turns themselves know where they come from.

    Raises:
        ProblemError: The services do not answer.
    """
    wanted = origin(scope, request)
    if not wanted:
        return
    listing = pb.ListTurnsRequest(page_size=500, statuses=_OPEN)
    for turn in (await call.read(turns.ListTurns, listing)).turns:
        if wanted.items() <= dict(turn.metadata).items():
            await call.read(turns.CancelTurn, pb.CancelTurnRequest(turn=turn.id))
