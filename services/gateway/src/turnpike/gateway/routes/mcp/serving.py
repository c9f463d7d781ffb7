"""The MCP server itself. Imported with the first request: the library is large."""

import asyncio
import logging
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias
from uuid import uuid4

import mcp_types as types
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.types import Scope

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import ProblemError, of_own
from turnpike.gateway.routes.following import awaited, started
from turnpike.gateway.routes.invocations import no_such_tool, written
from turnpike.gateway.routes.mcp import answers
from turnpike.gateway.routes.mcp.cancelling import origin
from turnpike.gateway.routes.mcp.notes import Notes
from turnpike.gateway.routes.mcp.offers import Offer, denied_to, offers_to
from turnpike.gateway.routes.mcp.pages import page
from turnpike.rpc.errors import ServiceError

logger = logging.getLogger(__name__)

Context: TypeAlias = ServerRequestContext[Any, Request]

CALL = "turnpike.call"
"""In the scope of a request: its way to the services."""

_OFFERS = "turnpike.mcp.offers"
_VERSION = "1"
_SERVER_ERROR = -32000
# What is approved and who may call it changes at once: nobody is to keep a list.
_FRESH = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
_INVALID = frozenset({"INVALID_ARGUMENT", "TOOL_NOT_FOUND", "NOT_FOUND"})
_INSTRUCTIONS = (
    "The tools that this tenant's administrators approved, and its agents as `agent__NAME`."
    " A call may wait for a person's approval."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What is behind the server."""

    turns: TurnServiceStub
    agents: AgentServiceStub
    connectors: ConnectorServiceStub
    policies: PolicyServiceStub


@asynccontextmanager
async def manager_of(
    services: Services, max_body_bytes: int
) -> AsyncGenerator[StreamableHTTPSessionManager]:
    """Gives what serves requests while inside; no request leaves anything behind."""
    manager = StreamableHTTPSessionManager(
        _server(services), stateless=True, max_request_body_size=max_body_bytes
    )
    async with manager.run():
        yield manager


def _server(services: Services) -> Server[Any]:
    handlers = _Handlers(services)
    server: Server[Any] = Server(
        "turnpike", version=_VERSION, title="Turnpike", instructions=_INSTRUCTIONS
    )
    server.add_request_handler("tools/list", types.PaginatedRequestParams, handlers.list_tools)
    server.add_request_handler("tools/call", types.CallToolRequestParams, handlers.call_tool)
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, handlers.set_level)
    # Requests are traced at the edge already.
    server.middleware.clear()
    return server


class _Handlers:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def list_tools(
        self, context: Context, params: types.PaginatedRequestParams
    ) -> dict[str, Any]:
        """Lists what may be called, and what policy does not deny anyway."""
        try:
            offers = await self._offers(context)
            call: Call = _scope(context)[CALL]
            denied = await denied_to(call, self._services.policies, offers)
            open_to = {name: each for name, each in offers.items() if each.tool not in denied}
            shown, cursor = page(open_to, params.cursor)
        except (ProblemError, ServiceError) as error:
            _refuse(error)
        listed: dict[str, Any] = {"tools": [offer.shown() for offer in shown], **_FRESH}
        return listed | ({"nextCursor": cursor} if cursor else {})

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> dict[str, Any]:
        """Has one called, as a turn; tells how it fares meanwhile."""
        try:
            offer = (await self._offers(context)).get(params.name)
            if offer is None:
                raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
            asked = _asked(offer, params.arguments or {})
            if asked is None:
                return answers.unfit("an agent takes `input`, a text, and `thread`")
            asked.request_id = f"gateway-{uuid4()}"
            asked.metadata.update(origin(_scope(context), context.request_id))
            turn = await self._run(context, asked, Notes(of_tool=bool(offer.tool)))
        except (ProblemError, ServiceError) as error:
            _refuse(error)
        return answers.of_call(turn) if offer.tool else answers.of_agent(turn)

    async def set_level(
        self, _context: Context, _params: types.SetLevelRequestParams
    ) -> types.EmptyResult:
        """Takes note of nothing: requests do not know of one another."""
        return types.EmptyResult()

    async def _offers(self, context: Context) -> dict[str, Offer]:
        # The library lists, too, before it lets a call through: once a request is enough.
        scope = _scope(context)
        if _OFFERS not in scope:
            services = self._services
            scope[_OFFERS] = await offers_to(scope[CALL], services.connectors, services.agents)
        return scope[_OFFERS]

    async def _run(self, context: Context, asked: pb.StartTurnRequest, notes: Notes) -> Turn:
        call: Call = _scope(context)[CALL]
        turns = self._services.turns
        turn, log = await started(call, turns, asked, {"call.": "", "start.call.": ""})

        async def tell(events: Sequence[Event]) -> None:
            for note in notes.of(events):
                await context.session.report_progress(note.progress, note.total, note.message)
                await _log(context, note.message)

        try:
            turn = await awaited(call, turns, turn, log, tell, patient=True)
        except asyncio.CancelledError:
            # Hanging up is how newer clients cancel; an older one may have lost its connection.
            if context.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
                await asyncio.shield(_cancel(call, turns, turn.id))
            raise
        if missing := no_such_tool(turn):
            raise missing
        return turn


def _scope(context: Context) -> Scope:
    if context.request is None:
        raise RuntimeError("what came over HTTP has its request")
    return context.request.scope


def _asked(offer: Offer, arguments: dict[str, Any]) -> pb.StartTurnRequest | None:
    """Returns the turn that a call is; None where an agent is not told what it takes."""
    if offer.tool:
        call = pb.Invocation(
            tool=offer.tool, arguments=written(arguments), definition_digest=offer.digest
        )
        return pb.StartTurnRequest(call=call)
    said, thread = arguments.get("input"), arguments.get("thread", "")
    unknown = arguments.keys() - {"input", "thread"}
    if not isinstance(said, str) or not said or not isinstance(thread, str) or unknown:
        return None
    return pb.StartTurnRequest(agent=offer.agent, thread=thread, input=[pb.ContentPart(text=said)])


async def _log(context: Context, message: str) -> None:
    if not message:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await context.session.send_log_message(  # pyright: ignore[reportDeprecated]
            "info", message, logger="turnpike", related_request_id=context.request_id
        )


async def _cancel(call: Call, turns: TurnServiceStub, turn: str) -> None:
    try:
        await call.read(turns.CancelTurn, pb.CancelTurnRequest(turn=turn))
    except (ProblemError, ServiceError) as error:
        logger.warning("turn %s could not be cancelled: %s", turn, error)


def _refuse(error: ProblemError | ServiceError) -> NoReturn:
    problem = of_own(error) if isinstance(error, ServiceError) else error
    code = types.INVALID_PARAMS if problem.reason in _INVALID else _SERVER_ERROR
    told: dict[str, Any] = {
        "reason": problem.reason,
        "status": problem.status,
        "metadata": problem.metadata,
        "errors": [{"field": each.field, "message": each.message} for each in problem.errors],
    }
    if problem.retry_after is not None:
        told["retry_after"] = problem.retry_after
    raise MCPError(code, problem.detail, told) from error
