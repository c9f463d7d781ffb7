"""Sign-ins to connectors: the link, the way back, and how far it has come."""

import secrets
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import JSONResponse

from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.gateway.authentication import Authentication
from turnpike.gateway.calls import Call
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.pages import page, question
from turnpike.gateway.problems import ProblemError
from turnpike.gateway.requests import header
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Time
from turnpike.gateway.sign_in_states import SignInState, SignInStates

COOKIE = "turnpike_sign_in"
CALLBACK = "/api/v1/oauth/callback"
CLIENT = "/api/v1/oauth/client.json"

_COOKIE_SECONDS = 600
_UNSTORED = {"cache-control": "no-store"}
_STATES: dict[int, Literal["PENDING", "DONE", "FAILED"]] = {
    tool_pb2.SIGN_IN_STATE_PENDING: "PENDING",
    tool_pb2.SIGN_IN_STATE_DONE: "DONE",
    tool_pb2.SIGN_IN_STATE_FAILED: "FAILED",
}


class NewSignIn(Request):
    """Whose the credential shall be."""

    shared: bool = Field(
        default=False,
        description="It serves whoever has none, instead of the caller alone; for admins.",
    )


class SignIn(Reply):
    """A sign-in to a connector."""

    id: str
    connector: str
    shared: bool
    state: Literal["PENDING", "DONE", "FAILED"]
    reason: str = Field(description="Why it failed, for machines.")
    message: str
    issuer: str
    expires: Time


class BegunSignIn(SignIn):
    """A sign-in that a person is to go on with, in a browser."""

    url: str = Field(description="Where to send the person's browser.")


class SignInRoutes:
    """`/api/v1/connectors/{name}:login`, `/api/v1/sign-ins` and `/api/v1/oauth`."""

    def __init__(
        self,
        entrance: Entrance,
        connectors: ConnectorServiceStub,
        states: SignInStates,
        *,
        public_url: str,
        secure_cookies: bool,
    ) -> None:
        self._entrance = entrance
        self._connectors = connectors
        self._states = states
        self._public_url = public_url.rstrip("/")
        self._secure_cookies = secure_cookies

    def routers(self) -> list[APIRouter]:
        """Returns the routes."""
        opened, called = self._entrance.open_form_router(), self._entrance.router()
        called.add_api_route(
            "/api/v1/connectors/{name:name}:login",
            self.begin,
            methods=["POST"],
            response_model=BegunSignIn,
            responses=problems(404, 409, 413, 415),
        )
        called.add_api_route(
            "/api/v1/sign-ins/{sign_in:name}",
            self.get,
            methods=["GET"],
            response_model=SignIn,
            responses=problems(404),
        )
        for path, endpoint, method in (
            (CALLBACK, self.come_back, "GET"),
            (CALLBACK, self.confirm, "POST"),
            (CLIENT, self.describe_client, "GET"),
        ):
            # For browsers and authorization servers; no client of ours calls them.
            opened.add_api_route(path, endpoint, methods=[method], include_in_schema=False)
        return [opened, called]

    async def begin(
        self, call: CurrentCall, name: str, body: NewSignIn, request: HttpRequest
    ) -> Response:
        """Begins a sign-in to a connector by OAuth, and says where to send the browser."""
        base = self._base(request)
        in_browser = self._authentication.session(request.scope) is not None and not header(
            request.scope, b"authorization"
        )
        cookie = secrets.token_urlsafe(24) if in_browser else ""
        caller = await self._authentication.identify(request.scope).caller()
        started = await call.change(
            self._connectors.StartSignIn,
            pb.StartSignInRequest(
                connector=name,
                shared=body.shared,
                redirect_uri=f"{base}{CALLBACK}",
                client_metadata_url=f"{base}{CLIENT}" if base.startswith("https://") else "",
                state=self._states.close(caller, name, cookie=cookie),
            ),
        )
        shown = _sign_in(started.sign_in)
        response = reply(
            BegunSignIn(**shown.model_dump(), url=started.authorization_url), headers=_UNSTORED
        )
        if cookie:
            # Lax, since it must come back from another site's page.
            secure = self._secure_cookies or request.url.scheme == "https"
            response.set_cookie(
                COOKIE,
                cookie,
                max_age=_COOKIE_SECONDS,
                path="/api/v1/oauth",
                httponly=True,
                secure=secure,
                samesite="lax",
            )
        return response

    async def get(self, call: CurrentCall, sign_in: str) -> Response:
        """Returns a sign-in that the caller began, as it stands."""
        request = pb.GetSignInRequest(id=sign_in)
        response = await call.read(self._connectors.GetSignIn, request, {"id": "sign_in"})
        return reply(_sign_in(response.sign_in))

    async def come_back(self, request: HttpRequest) -> Response:
        """Takes what the browser brings back, if this is the browser that began it."""
        brought = {name: request.query_params.get(name, "") for name in _BROUGHT}
        state = self._states.open(brought["state"])
        if state is None:
            return _unknown()
        if state.browser and not state.is_from(request.cookies.get(COOKIE, "")):
            return page("Another browser", "Open the link where you asked for it.", status=403)
        if state.browser or brought["error"]:
            return await self._finish(state, brought)
        # Begun without a browser: whoever was sent the link by somebody else must not lend
        # that one an account.
        return question(
            f"Sign in to {state.connector}?",
            f"Turnpike will act in your name at {state.connector}, for the principal"
            f" {state.principal}. Go on only if it was you who asked for this.",
            "Go on",
            CALLBACK,
            brought,
        )

    async def confirm(self, request: HttpRequest) -> Response:
        """Ends a sign-in that was begun without a browser, once the person said so."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        brought = {name: form.get(name, [""])[0] for name in _BROUGHT}
        state = self._states.open(brought["state"])
        if state is None or state.browser:
            return _unknown()
        return await self._finish(state, brought)

    async def describe_client(self, request: HttpRequest) -> Response:
        """Returns who we are to authorization servers that read it: the client's document."""
        base = self._base(request)
        document = {
            "client_id": f"{base}{CLIENT}",
            "client_name": "Turnpike",
            "client_uri": base,
            "redirect_uris": [f"{base}{CALLBACK}"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "web",
        }
        return JSONResponse(document, headers={"cache-control": "public, max-age=300"})

    @property
    def _authentication(self) -> Authentication:
        return self._entrance.authentication

    async def _finish(self, state: SignInState, brought: Mapping[str, str]) -> Response:
        call = Call(self._authentication.lend(state.caller), self._entrance.patience)
        message = pb.FinishSignInRequest(
            state=brought["state"],
            code=brought["code"],
            issuer=brought["iss"],
            error=brought["error"],
        )
        try:
            response = await call.change(self._connectors.FinishSignIn, message)
        except ProblemError as problem:
            if problem.status >= 500:
                raise
            return page("Not signed in", problem.detail, status=problem.status)
        ended = _sign_in(response.sign_in)
        if ended.state != "DONE":
            return page("Not signed in", f"{ended.connector}: {ended.message}.", status=400)
        return page(
            "Signed in", f"{ended.connector} is connected. You can close this page and go on."
        )

    def _base(self, request: HttpRequest) -> str:
        return self._public_url or str(request.base_url).rstrip("/")


_BROUGHT = ("state", "code", "iss", "error")


def _unknown() -> Response:
    return page("Not signed in", "This is no sign-in that can be ended here.", status=400)


def _sign_in(message: tool_pb2.SignIn) -> SignIn:
    return SignIn(
        id=message.id,
        connector=message.connector,
        shared=message.shared,
        state=_STATES.get(message.state, "FAILED"),
        reason=message.reason,
        message=message.message,
        issuer=message.issuer,
        expires=rfc3339(message.expire_time),
    )
