"""Who gives out tokens for an MCP server: RFC 9728, then RFC 8414 or OpenID Connect."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from mcp.client.auth.exceptions import OAuthFlowError
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
    get_client_metadata_scopes,
    handle_auth_metadata_response,
    handle_protected_resource_response,
    issuers_match,
    validate_metadata_issuer,
)
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from mcp.shared.auth_utils import check_resource_allowed, resource_url_from_server_url
from mcp_types import LATEST_PROTOCOL_VERSION

from turnpike.tool_registry.oauth.refusals import Cause, OAuthError
from turnpike.tool_registry.oauth.web import Web

GRANT_TYPES = ["authorization_code", "refresh_token"]

# What needs a credential soonest comes first: some servers let strangers say hello.
_REQUESTS = (
    {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": LATEST_PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "turnpike", "version": "1"},
        },
    },
)
_ACCEPT = {"accept": "application/json, text/event-stream"}
_OWN = frozenset({"accept", "authorization", "content-type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An authorization server, and what to ask of it."""

    metadata: OAuthMetadata
    issuer: str
    resource: str
    """What the token is for."""

    scope: str
    """What to ask for; empty for what the server gives unasked."""


async def find_server(
    web: Web, url: str, headers: Mapping[str, str], *, preferred: Collection[str], scope: str = ""
) -> Server:
    """Returns who gives out tokens for the MCP server at `url`.

    Args:
        web: The guarded client.
        url: Where the MCP server is.
        headers: What its requests carry anyway.
        preferred: Issuers that already know us, when there is a choice.
        scope: What is to be asked for beside what the server names.

    Raises:
        OAuthError: Nobody does, or not in a way that can be trusted.
    """
    challenge = await _challenge(web, url, headers)
    resource = await _resource(web, url, challenge)
    advertised = [str(each) for each in resource.authorization_servers] if resource else []
    chosen = next((each for each in advertised if each.rstrip("/") in preferred), None)
    metadata = await _metadata(web, url, chosen or (advertised[0] if advertised else None))
    _check(web, metadata)
    asked = get_client_metadata_scopes(
        extract_scope_from_www_auth(challenge) if challenge else None,
        resource,
        metadata,
        GRANT_TYPES,
    )
    return Server(
        metadata=metadata,
        issuer=str(metadata.issuer),
        resource=str(resource.resource) if resource else resource_url_from_server_url(url),
        scope=" ".join(dict.fromkeys([*(asked or "").split(), *scope.split()])),
    )


async def _challenge(web: Web, url: str, headers: Mapping[str, str]) -> httpx2.Response | None:
    """Returns the server's answer to a stranger, if it refuses strangers."""
    kept = {name: value for name, value in headers.items() if name.lower() not in _OWN}
    for request in _REQUESTS:
        response = await web.post_json(url, request, {**kept, **_ACCEPT})
        if response.status_code == 401:
            return response
    return None


async def _resource(
    web: Web, url: str, challenge: httpx2.Response | None
) -> ProtectedResourceMetadata | None:
    named = extract_resource_metadata_from_www_auth(challenge) if challenge else None
    failed = False
    for place in build_protected_resource_metadata_discovery_urls(named, url):
        response = await web.get(place)
        found = await handle_protected_resource_response(response)
        if found is not None:
            wanted = resource_url_from_server_url(url)
            if not check_resource_allowed(wanted, str(found.resource)):
                raise OAuthError(
                    Cause.RESOURCE_MISMATCH, "the server's metadata is about another resource"
                )
            return found
        failed = failed or response.status_code >= 500 or response.status_code == 429
    if failed:
        # It says nothing about whether there is metadata: no reason to do without.
        raise OAuthError(Cause.UNREACHABLE, "the server's metadata cannot be read at the moment")
    return None


async def _metadata(web: Web, url: str, issuer: str | None) -> OAuthMetadata:
    for place in build_oauth_authorization_server_metadata_discovery_urls(issuer, url):
        response = await web.get(place)
        goes_on, found = await handle_auth_metadata_response(response)
        if found is not None:
            _check_issuer(found, url, issuer)
            return found
        if not goes_on:
            raise OAuthError(
                Cause.UNREACHABLE, f"the authorization server answered {response.status_code}"
            )
    raise OAuthError(
        Cause.NO_AUTHORIZATION_SERVER, "the server names no authorization server that can be read"
    )


def _check_issuer(found: OAuthMetadata, url: str, issuer: str | None) -> None:
    if issuer is None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        if issuers_match(str(found.issuer), origin):
            return
        issuer = origin
    try:
        validate_metadata_issuer(found, issuer)
    except OAuthFlowError as error:
        raise OAuthError(
            Cause.ISSUER_MISMATCH, "the authorization server's metadata names another issuer"
        ) from error


def _check(web: Web, metadata: OAuthMetadata) -> None:
    if "S256" not in (metadata.code_challenge_methods_supported or []):
        raise OAuthError(
            Cause.PKCE_UNSUPPORTED, "the authorization server does not say that it checks PKCE"
        )
    for endpoint in (
        metadata.authorization_endpoint,
        metadata.token_endpoint,
        metadata.registration_endpoint,
    ):
        if endpoint is not None:
            web.check(str(endpoint))
