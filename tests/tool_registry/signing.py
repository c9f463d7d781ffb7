"""A person who signs in to an MCP server that takes an authorization server's tokens."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.doubles.oauth_server import AuthorizationServer, protected
from tests.doubles.scripted_mcp import ScriptedServer
from tests.tool_registry.serving import Registry, Tenant
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2

BACK = "http://127.0.0.1:9/api/v1/oauth/callback"


def guard(server: ScriptedServer, issuer: AuthorizationServer, place: str, **changed: Any) -> None:
    """Has an MCP server let in nobody without a token of the issuer's."""
    server.accepts = issuer.accepts
    server.documents = protected(issuer, place, **changed)


@dataclass(frozen=True)
class Person:
    """Somebody of a tenant, on one replica."""

    tenant: Tenant
    id: str
    role: str = "admin"

    @property
    def metadata(self) -> Any:
        return self.tenant.as_principal(self.role, self.id)

    def on(self, registry: Registry) -> "Person":
        """Returns the same person on another replica."""
        return Person(self.tenant.on(registry), self.id, self.role)

    async def start(
        self, connector: str = "effects", *, shared: bool = True, **others: Any
    ) -> pb.StartSignInResponse:
        """Begins a sign-in."""
        request = pb.StartSignInRequest(
            connector=connector,
            shared=shared,
            **{"redirect_uri": BACK, "state": secrets.token_urlsafe(32), **others},
        )
        return await self.tenant.registry.connectors.StartSignIn(request, metadata=self.metadata)

    async def finish(self, back: dict[str, str]) -> tool_pb2.SignIn:
        """Ends a sign-in with what the browser was sent back with."""
        request = pb.FinishSignInRequest(
            state=back["state"],
            code=back.get("code", ""),
            issuer=back.get("iss", ""),
            error=back.get("error", ""),
        )
        registry = self.tenant.registry
        response = await registry.connectors.FinishSignIn(request, metadata=self.metadata)
        return response.sign_in

    async def sign_in(
        self, issuer: AuthorizationServer, connector: str = "effects", *, shared: bool = True
    ) -> tool_pb2.SignIn:
        """Goes all the way."""
        started = await self.start(connector, shared=shared)
        return await self.finish(await issuer.visit(started.authorization_url))

    async def credentials(self, connector: str = "effects") -> list[tool_pb2.Credential]:
        request = pb.ListCredentialsRequest(connector=connector)
        registry = self.tenant.registry
        response = await registry.connectors.ListCredentials(request, metadata=self.metadata)
        return list(response.credentials)


def somebody(tenant: Tenant, role: str = "admin") -> Person:
    """Returns a new person."""
    return Person(tenant, str(uuid4()), role)
