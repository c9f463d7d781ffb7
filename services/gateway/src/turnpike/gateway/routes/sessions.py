"""Sessions of browsers, and tokens for an EventSource."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import Field

from turnpike.api.agent_runtime.v1.turn_service_pb2 import GetTurnRequest
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.authentication import CSRF_COOKIE, SESSION_COOKIE
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

_UNSTORED = {"cache-control": "no-store"}


class NewSession(Request):
    """The API key that a session stands for."""

    key: Annotated[Text, Field(min_length=1, max_length=4096)]


class Session(Reply):
    """A session that has begun; the cookies came with this reply."""

    csrf_token: str = Field(description="To be sent as `X-CSRF-Token` with each write.")
    expires: Time


class StreamToken(Reply):
    """Opens one turn's events, as `?token=`."""

    token: str
    expires: Time


class SessionRoutes:
    """`/api/v1/session` and `/api/v1/turns/{turn}:token`."""

    def __init__(self, entrance: Entrance, turns: TurnServiceStub, *, secure_cookies: bool) -> None:
        self._entrance = entrance
        self._authentication = entrance.authentication
        self._turns = turns
        self._secure_cookies = secure_cookies

    def routers(self) -> list[APIRouter]:
        """Returns the routes."""
        opened, called = self._entrance.open_router(), self._entrance.router()
        opened.add_api_route(
            "/api/v1/session",
            self.begin_session,
            methods=["POST"],
            response_model=Session,
            responses=problems(400, 401, 413, 415, 500, 503, always=()),
        )
        opened.add_api_route(
            "/api/v1/session",
            self.end_session,
            methods=["DELETE"],
            status_code=204,
            responses=problems(403, 413, 415, 500, always=()),
        )
        called.add_api_route(
            "/api/v1/turns/{turn:name}:token",
            self.issue_stream_token,
            methods=["POST"],
            response_model=StreamToken,
            responses=problems(404, 413, 415),
        )
        return [opened, called]

    async def begin_session(self, body: NewSession, request: HttpRequest) -> Response:
        """Begins a browser's session."""
        cookie, session = await self._authentication.begin_session(body.key)
        response = reply(
            Session(csrf_token=session.csrf_token, expires=_time(session.expires)),
            headers=_UNSTORED,
        )
        lifetime = int(self._authentication.sessions.lifetime.total_seconds())
        secure = self._secure_cookies or request.url.scheme == "https"
        for name, value, hidden in (
            (SESSION_COOKIE, cookie, True),
            (CSRF_COOKIE, session.csrf_token, False),
        ):
            response.set_cookie(
                name, value, max_age=lifetime, httponly=hidden, secure=secure, samesite="strict"
            )
        return response

    async def end_session(self, request: HttpRequest) -> Response:
        """Ends the browser's session, if it has one."""
        self._authentication.session(request.scope)  # refuses another site's page
        response = Response(status_code=204)
        for name in (SESSION_COOKIE, CSRF_COOKIE):
            response.delete_cookie(name, samesite="strict")
        return response

    async def issue_stream_token(
        self, call: CurrentCall, turn: str, request: HttpRequest
    ) -> Response:
        """Issues a token for a turn's events, for a client that cannot set headers."""
        await call.read(self._turns.GetTurn, GetTurnRequest(turn=turn))
        grant = await self._authentication.identify(request.scope).grant(turn)
        token, expires = self._authentication.stream_tokens.issue(grant)
        return reply(StreamToken(token=token, expires=_time(expires)), headers=_UNSTORED)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
