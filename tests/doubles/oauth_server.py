"""An OAuth 2.1 authorization server over HTTP: the SDK's own, whose every word a test decides.

It asks nobody: who is sent to its page comes back with a code. Refresh tokens rotate, and
one that is used twice is `invalid_grant`.
"""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from mcp.server.auth.middleware.client_auth import ClientAuthenticator
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Message = dict[str, Any]


class _Server(uvicorn.Server):
    """Leaves the tests' signals alone."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


@dataclass
class AuthorizationServer(
    OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]
):
    """The server; change it while it serves."""

    url: str = ""
    expires_in: int | None = 3600
    rotates: bool = True
    registers: bool = True
    says_issuer: bool = True
    revokes: bool = False
    """Whether it takes tokens back."""

    repeats: bool = False
    """Whether it gives the refresh token again that it gave."""

    away: int = 0
    """How often it answers 503 to whoever gives tokens back."""

    error: str = ""
    """What a person's answer is, instead of a code."""

    refusal: str = ""
    """What the token endpoint answers to a refresh token."""

    status: int = 0
    """What the token endpoint answers to a refresh token, whatever it is."""

    changed: Message = field(default_factory=dict[str, Any])
    """Changes its metadata; None leaves out."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, whoever shows a refresh token waits."""

    clients: dict[str, OAuthClientInformationFull] = field(
        default_factory=dict[str, OAuthClientInformationFull]
    )
    codes: dict[str, AuthorizationCode] = field(default_factory=dict[str, AuthorizationCode])
    access: dict[str, AccessToken] = field(default_factory=dict[str, AccessToken])
    refresh: dict[str, RefreshToken] = field(default_factory=dict[str, RefreshToken])
    asked: list[AuthorizationParams] = field(default_factory=list[AuthorizationParams])
    renewals: int = 0
    """How often a refresh token was shown."""

    returned: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The tokens that were given back, and what they were said to be."""

    exchanges: int = 0
    registrations: int = 0

    def accepts(self, token: str) -> bool:
        """Whether an access token is good now."""
        known = self.access.get(token)
        return known is not None and (known.expires_at is None or known.expires_at > time.time())

    def end_access(self) -> None:
        """Revokes every access token; what refreshes them stays."""
        self.access.clear()

    async def visit(self, authorization_url: str) -> dict[str, str]:
        """Does what a person's browser does; returns what it is sent back with."""
        async with httpx.AsyncClient() as browser:
            response = await browser.get(authorization_url)
        assert response.status_code == 302, response.text
        query = parse_qs(urlsplit(response.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.registrations += 1
        self.clients[client_info.client_id] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        self.asked.append(params)
        issuer = {"iss": self.url} if self.says_issuer else {}
        said = {"error": self.error} if self.error else {"code": self._code(client, params)}
        return construct_redirect_uri(
            str(params.redirect_uri), state=params.state, **said, **issuer
        )

    def _code(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return code.code

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        self.exchanges += 1
        del self.codes[authorization_code.code]
        return self._tokens(client, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        self.renewals += 1
        await self.gate.wait()
        if self.status:
            raise HTTPException(self.status)
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        if self.refusal:
            raise TokenError(self.refusal)  # type: ignore[arg-type]
        # Another request may have used it meanwhile.
        if self.rotates and self.refresh.pop(refresh_token.token, None) is None:
            raise TokenError("invalid_grant")
        return self._tokens(client, scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def _tokens(
        self, client: OAuthClientInformationFull, scopes: list[str], resource: str | None
    ) -> OAuthToken:
        about: Message = {
            "client_id": client.client_id,
            "scopes": scopes,
            "resource": resource,
        }
        ends = None if self.expires_in is None else int(time.time()) + self.expires_in
        access = AccessToken(token=f"at-{secrets.token_urlsafe(16)}", expires_at=ends, **about)
        name = next(iter(self.refresh), "") if self.repeats else ""
        refresh = RefreshToken(token=name or f"rt-{secrets.token_urlsafe(16)}", **about)
        self.access[access.token] = access
        self.refresh[refresh.token] = refresh
        return OAuthToken(
            access_token=access.token,
            refresh_token=refresh.token,
            expires_in=self.expires_in,
            scope=" ".join(scopes) or None,
        )

    def metadata(self) -> Message:
        """Returns what it says of itself."""
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register" if self.registers else None,
            "revocation_endpoint": f"{self.url}/revoke" if self.revokes else None,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "authorization_response_iss_parameter_supported": self.says_issuer,
            **self.changed,
        }
        return {name: value for name, value in document.items() if value is not None}

    async def _take_back(self, request: Request) -> Response:
        # Not the SDK's, which refuses whoever sends no secret in the form.
        client = await ClientAuthenticator(self).authenticate_request(request)
        form = await request.form()
        self.returned.append((str(form["token"]), str(form["token_type_hint"])))
        if self.away:
            self.away -= 1
            return JSONResponse({}, 503)
        token = self.access.get(str(form["token"])) or self.refresh.get(str(form["token"]))
        if token is not None and token.client_id == client.client_id:
            await self.revoke_token(token)
        return Response()

    def app(self) -> Starlette:
        async def metadata(_request: Request) -> Response:
            return JSONResponse(self.metadata())

        routes = create_auth_routes(
            self,
            AnyHttpUrl(self.url),
            client_registration_options=ClientRegistrationOptions(enabled=True),
        )
        kept = [route for route in routes if ".well-known" not in route.path]
        document = Route("/.well-known/oauth-authorization-server", metadata)
        revoke = Route("/revoke", self._take_back, methods=["POST"])
        return Starlette(routes=[document, revoke, *kept], middleware=[])


@asynccontextmanager
async def serving_authorization() -> AsyncGenerator[AuthorizationServer]:
    """Serves an authorization server on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = AuthorizationServer(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.gate.set()
    config = uvicorn.Config(server.app(), lifespan="off", log_config=None, access_log=False)
    running = _Server(config)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    try:
        yield server
    finally:
        running.should_exit = True
        server.gate.set()
        await task
        listener.close()


def protected(server: AuthorizationServer, place: str, **changed: Any) -> dict[str, Message]:
    """Returns what an MCP server at `place` publishes that takes this server's tokens."""
    path = urlsplit(place).path
    document = {"resource": place, "authorization_servers": [server.url], **changed}
    return {f"/.well-known/oauth-protected-resource{path}": document}
