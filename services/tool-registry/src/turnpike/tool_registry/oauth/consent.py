"""Asking a person at an authorization server, and reading what the browser brings back."""

from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from mcp.client.auth.exceptions import OAuthFlowError
from mcp.client.auth.oauth2 import PKCEParameters
from mcp.client.auth.utils import validate_authorization_response_iss
from mcp.shared.auth import OAuthMetadata

from turnpike.tool_registry.oauth.grants import Client, Grant, Revocation, Tokens
from turnpike.tool_registry.oauth.refusals import Cause, OAuthError
from turnpike.tool_registry.oauth.servers import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A person's answer that is waited for, and what is done with it."""

    metadata: str
    """The authorization server's, as JSON: what comes back is held against it."""

    client: Client
    resource: str
    scope: str
    redirect_uri: str
    verifier: str = field(repr=False)

    def to_text(self) -> str:
        """Returns it as text; `consent_from` reads it."""
        return orjson.dumps(asdict(self)).decode()

    @property
    def server(self) -> OAuthMetadata:
        """The authorization server's metadata."""
        return OAuthMetadata.model_validate_json(self.metadata)

    def check_issuer(self, issuer: str) -> None:
        """Raises `OAuthError` unless the answer is the asked server's, by RFC 9207."""
        try:
            validate_authorization_response_iss(issuer or None, self.server)
        except OAuthFlowError as error:
            raise OAuthError(
                Cause.ISSUER_MISMATCH, "the answer does not come from the server that was asked"
            ) from error

    @property
    def revocation(self) -> str:
        """How to take back what comes of it, as text; empty where the server does not."""
        endpoint = self.server.revocation_endpoint
        return Revocation(endpoint=str(endpoint), client=self.client).to_text() if endpoint else ""

    def granted(self, tokens: Tokens) -> Grant:
        """Returns what was consented to, once there are tokens."""
        server = self.server
        return Grant(
            issuer=str(server.issuer),
            token_endpoint=str(server.token_endpoint),
            resource=self.resource,
            scope=tokens.scope or self.scope,
            client=self.client,
            refresh_token=tokens.refresh,
        )


def consent_from(text: str) -> Consent:
    """Returns a consent from its text."""
    values: dict[str, Any] = orjson.loads(text)
    client = Client(**values.pop("client"))
    return Consent(client=client, **values)


def ask(server: Server, client: Client, redirect_uri: str, state: str) -> tuple[Consent, str]:
    """Returns what to remember, and where to send the person's browser."""
    proof = PKCEParameters.generate()
    query = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": proof.code_challenge,
        "code_challenge_method": "S256",
        "resource": server.resource,
    }
    if server.scope:
        query["scope"] = server.scope
    if "offline_access" in server.scope.split():
        # OpenID Connect gives no refresh token without.
        query["prompt"] = "consent"
    consent = Consent(
        metadata=server.metadata.model_dump_json(exclude_none=True),
        client=client,
        resource=server.resource,
        scope=server.scope,
        redirect_uri=redirect_uri,
        verifier=proof.code_verifier,
    )
    endpoint = str(server.metadata.authorization_endpoint)
    glue = "&" if urlsplit(endpoint).query else "?"
    return consent, f"{endpoint}{glue}{urlencode(query)}"
