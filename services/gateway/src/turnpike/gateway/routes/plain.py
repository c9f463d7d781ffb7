"""Routes that are plain ASGI applications: what they do is done for every word."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from turnpike.gateway.requests import read_body
from turnpike.gateway.routes.answers import Answers, Client
from turnpike.gateway.routes.route import Entrance

Serve: TypeAlias = Callable[[Client, bytes], Coroutine[Any, Any, None]]


class PlainRoutes:
    """Routes of other vendors' forms, for who has a credential."""

    def __init__(self, entrance: Entrance, answers: Answers) -> None:
        self.answers = answers
        self._entrance = entrance

    def route(self, path: str, serve: Serve, method: str) -> Route:
        """Returns a route that serves a client, given what it sent."""
        return Route(
            path, _Asgi(self._entrance, serve, method), methods=[method], include_in_schema=False
        )


class _Asgi:
    """An ASGI application that Starlette does not take for a function of a request."""

    def __init__(self, entrance: Entrance, serve: Serve, method: str) -> None:
        self._entrance = entrance
        self._serve = serve
        self._reads = method == "POST"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._entrance.admit(scope)
        # First of all, so that strangers learn nothing of what a body may hold.
        await call.credential.token()
        limit = self._entrance.max_body_bytes
        body = await read_body(scope, receive, limit) if self._reads else b""
        await self._serve(Client(call, scope, receive, send), body)
