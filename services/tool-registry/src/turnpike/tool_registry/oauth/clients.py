"""Who we are to an authorization server: given by the operator, a document, or registered."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from mcp.client.auth.exceptions import OAuthRegistrationError
from mcp.client.auth.oauth2 import check_registration_usable
from mcp.client.auth.utils import (
    create_client_registration_request,
    handle_registration_response,
    is_valid_client_metadata_url,
    should_use_client_metadata_url,
)
from mcp.shared.auth import OAuthClientMetadata, OAuthMetadata, TokenEndpointAuthMethod
from pydantic import AnyUrl, ValidationError

from turnpike.tool_registry.oauth.grants import Client
from turnpike.tool_registry.oauth.refusals import Cause, OAuthError
from turnpike.tool_registry.oauth.servers import GRANT_TYPES, Server
from turnpike.tool_registry.oauth.web import Web

# The methods that we can speak, best first.
_METHODS: tuple[TokenEndpointAuthMethod, ...] = (
    "client_secret_basic",
    "client_secret_post",
    "none",
)


def known_client(
    server: Server, given: Mapping[str, Client], client_metadata_url: str
) -> Client | None:
    """Returns the client that needs no registration, if there is one.

    The operator's own comes first: it was made for this server; then the document that we
    publish, where the server reads one.
    """
    client = given.get(server.issuer.rstrip("/"))
    if client is not None:
        return client
    if not client_metadata_url or not should_use_client_metadata_url(
        server.metadata, client_metadata_url
    ):
        return None
    if not is_valid_client_metadata_url(client_metadata_url):
        raise OAuthError(Cause.CLIENT_REFUSED, "the client's document must be at an HTTPS address")
    return Client(id=client_metadata_url)


async def register(web: Web, server: Server, redirect_uri: str) -> Client:
    """Has the authorization server register us, or raises `OAuthError`."""
    if server.metadata.registration_endpoint is None:
        raise OAuthError(
            Cause.CLIENT_REFUSED,
            "the authorization server registers no clients: the operator must give one",
        )
    request = create_client_registration_request(
        server.metadata, _document(server, redirect_uri), server.issuer
    )
    response = await web.send(request)
    try:
        made = await handle_registration_response(response)
        check_registration_usable(made)
    except OAuthRegistrationError as error:
        status = response.status_code
        raise OAuthError(
            Cause.CLIENT_REFUSED, f"the authorization server registers no client: {status}"
        ) from error
    secret = made.client_secret or ""
    method = made.token_endpoint_auth_method or (_method(server.metadata) if secret else "none")
    return Client(id=made.client_id, secret=secret, method=method)


def _document(server: Server, redirect_uri: str) -> OAuthClientMetadata:
    host = urlsplit(redirect_uri).hostname
    try:
        return OAuthClientMetadata(
            redirect_uris=[AnyUrl(redirect_uri)],
            client_name="Turnpike",
            grant_types=list(GRANT_TYPES),
            token_endpoint_auth_method=_method(server.metadata),
            application_type="native" if host in ("127.0.0.1", "::1", "localhost") else "web",
            scope=server.scope or None,
        )
    except ValidationError as error:
        raise OAuthError(Cause.CLIENT_REFUSED, "there is no way back for the browser") from error


def _method(metadata: OAuthMetadata) -> TokenEndpointAuthMethod:
    # RFC 8414: who says nothing takes `client_secret_basic`.
    offered = metadata.token_endpoint_auth_methods_supported or ["client_secret_basic"]
    for method in _METHODS:
        if method in offered:
            return method
    return "none"
