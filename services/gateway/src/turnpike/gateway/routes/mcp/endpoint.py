"""`/mcp`: MCP over streamable HTTP, for clients of either era of the protocol."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import orjson
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import ProblemError, of_own, unauthenticated
from turnpike.gateway.requests import header, read_body
from turnpike.gateway.routes.mcp.cancelling import SESSION, cancel_request
from turnpike.gateway.routes.mcp.resource import ProtectedResource
from turnpike.gateway.routes.route import Entrance
from turnpike.rpc.errors import ServiceError

_CALL = "turnpike.call"


class McpRoute:
    """`/mcp`. Entered while the gateway serves."""

    def __init__(
        self,
        entrance: Entrance,
        runtime: grpc.aio.Channel,
        registry: grpc.aio.Channel,
        origins: Sequence[str],
        resource: ProtectedResource,
    ) -> None:
        """Takes who may come in, the services, whose pages may call, what strangers are told."""
        self._resource = resource
        self._entrance = entrance
        self._turns = TurnServiceStub(runtime)
        self._agents = AgentServiceStub(runtime)
        self._connectors = ConnectorServiceStub(registry)
        self._policies = PolicyServiceStub(runtime)
        self._origins = frozenset(origins)
        self._serving: asyncio.Future[Any] | None = None
        self._over = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None

    def routes(self) -> list[Route]:
        """Returns the route, and those that say who opens it."""
        return [
            Route("/mcp", _Asgi(self), methods=["POST"], include_in_schema=False),
            *self._resource.routes(),
        ]

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        self._check_origin(scope)
        scope[_CALL] = call = await self._admit(scope)
        body = await read_body(scope, receive, self._entrance.max_body_bytes)
        manager = await self._manager()
        said = _read(body)
        if said.get("method") == "initialize":
            send = _with_session(send)
        elif said.get("method") == "notifications/cancelled":
            # Here, since the library takes the request for over once it is acknowledged.
            await cancel_request(call, self._turns, scope, _cancelled(said))
        await manager.handle_request(scope, _again(body, receive), send)

    async def _admit(self, scope: Scope) -> Call:
        shown = bool(header(scope, b"authorization"))
        try:
            if not shown:
                # No browser's session: what a page may call is its origin's own.
                raise unauthenticated("a credential is needed: `Authorization: Bearer KEY`")
            call = self._entrance.admit(scope)
            await call.credential.token()
        except ProblemError as problem:
            raise self._resource.challenged(problem, scope, shown=shown) from problem
        except ServiceError as error:
            raise self._resource.challenged(of_own(error), scope, shown=shown) from error
        return call

    async def close(self) -> None:
        """Ends what is under way."""
        self._over.set()
        if self._holding is not None:
            await self._holding

    async def _manager(self) -> Any:
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_future()
            self._holding = asyncio.create_task(self._hold(self._serving))
        return await asyncio.shield(self._serving)

    async def _hold(self, serving: "asyncio.Future[Any]") -> None:
        # A task of its own: what the library opens here is closed here.
        try:
            # The library takes a second to import, and 20 MB, which nobody pays who has no client.
            module = await asyncio.to_thread(_library)
            services = module.Services(
                turns=self._turns,
                agents=self._agents,
                connectors=self._connectors,
                policies=self._policies,
            )
            async with AsyncExitStack() as stack:
                opened = module.manager_of(services, self._entrance.max_body_bytes)
                serving.set_result(await stack.enter_async_context(opened))
                await self._over.wait()
        except Exception as error:
            if serving.done():
                raise
            # Whoever asks next tries again.
            self._serving = None
            serving.set_exception(error)

    def _check_origin(self, scope: Scope) -> None:
        origin = header(scope, b"origin")
        if not origin or "*" in self._origins or origin in self._origins:
            return
        if urlsplit(origin).netloc != header(scope, b"host"):
            raise ProblemError(403, "FORBIDDEN", "pages of this origin may not call")


def _library() -> Any:
    from turnpike.gateway.routes.mcp import serving  # see above

    return serving


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        # The library says what is wrong with it.
        return {}
    return said if isinstance(said, dict) else {}


def _cancelled(said: dict[str, Any]) -> Any:
    params = said.get("params")
    return params.get("requestId") if isinstance(params, dict) else None


def _again(body: bytes, receive: Receive) -> Receive:
    """Returns a body that was read, and then what comes after it."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_session(send: Send) -> Send:
    """Names a session to an older client: no replica keeps it, but its requests show it."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            message["headers"] = [
                *message.get("headers", ()),
                (SESSION, uuid4().hex.encode()),
            ]
        await send(message)

    return named


class _Asgi:
    """An ASGI application that Starlette does not take for a function of a request."""

    def __init__(self, route: McpRoute) -> None:
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._route.serve(scope, receive, send)
