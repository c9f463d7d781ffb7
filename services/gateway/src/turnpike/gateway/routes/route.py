"""A route: who asks, then what, then the rpc, for as long as somebody waits."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar

import orjson
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from turnpike.gateway.authentication import Authentication
from turnpike.gateway.calls import Call, Patience
from turnpike.gateway.requests import FORM, read_body, while_connected

_CALL = "turnpike.call"
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


class Entrance:
    """Where requests come in."""

    def __init__(
        self, authentication: Authentication, patience: Patience, max_body_bytes: int
    ) -> None:
        self.authentication = authentication
        self.patience = patience
        self.max_body_bytes = max_body_bytes

    def admit(self, scope: Scope) -> Call:
        """Returns the way to the services of who asks, or raises `ProblemError`."""
        return Call(self.authentication.identify(scope), self.patience)

    def router(self) -> APIRouter:
        """Returns a router whose routes need a credential."""
        return _router(self, _CallRoute)

    def open_router(self) -> APIRouter:
        """Returns a router whose routes need none."""
        return _router(self, _OpenRoute)

    def open_form_router(self) -> APIRouter:
        """Returns a router whose routes need none, and take what pages send."""
        return _router(self, _FormRoute)


# A coroutine, though it waits for nothing: FastAPI runs others in threads.
async def _current_call(request: Request) -> Call:
    return request.scope[_CALL]


CurrentCall = Annotated[Call, Depends(_current_call)]
"""In a route's signature: the request's way to the services."""


class _JsonRequest(Request):
    """A request whose body was read, within its limit."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._read = body

    async def body(self) -> bytes:
        return self._read

    async def json(self) -> Any:
        # Unlike the standard library's, it refuses lone surrogates and NaN.
        return orjson.loads(self._read)


class _OpenRoute(APIRoute):
    entrance: ClassVar[Entrance]
    media_type: ClassVar[str] = "application/json"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def answer(request: Request) -> Response:
            await self.enter(request.scope)
            if request.method not in _BODILESS:
                limit = self.entrance.max_body_bytes
                body = await read_body(
                    request.scope, request.receive, limit, media_type=self.media_type
                )
                request = _JsonRequest(request, body)
            async with while_connected(request.receive):
                return await inner(request)

        return answer

    async def enter(self, scope: Scope) -> None:
        """Lets everybody in."""


class _FormRoute(_OpenRoute):
    media_type = FORM


class _CallRoute(_OpenRoute):
    async def enter(self, scope: Scope) -> None:
        """Lets in who has a valid credential; a stranger's body is not even read."""
        call = self.entrance.admit(scope)
        await call.credential.token()
        scope[_CALL] = call


def _router(entrance: Entrance, route: type[_OpenRoute]) -> APIRouter:
    kind = type(route.__name__, (route,), {"entrance": entrance})
    return APIRouter(prefix="", route_class=kind, redirect_slashes=False)
