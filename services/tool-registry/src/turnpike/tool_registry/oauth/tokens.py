"""The token endpoint: a code for tokens, and a refresh token for newer ones."""

import base64
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import httpx2
import orjson

from turnpike.tool_registry.oauth.grants import Client, Grant, Tokens
from turnpike.tool_registry.oauth.refusals import Cause, GrantRefusedError, OAuthError
from turnpike.tool_registry.oauth.web import Web

_MOST_SECONDS = 10 * 365 * 24 * 3600
_MOST_TOKEN = 16 * 1024
_TOKEN = re.compile(r"^[\x21-\x7e]+$")
_ERROR = re.compile(r"^[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}$")
# What a new attempt cannot change.
_FINAL = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "invalid_target"}
)


async def exchange(web: Web, endpoint: str, client: Client, form: Mapping[str, str]) -> Tokens:
    """Returns the tokens for an authorization code.

    Args:
        web: The guarded client.
        endpoint: The token endpoint.
        client: Who we are there.
        form: `code`, `code_verifier`, `redirect_uri` and `resource`.

    Raises:
        OAuthError: There are none.
    """
    return await _ask(web, endpoint, client, {"grant_type": "authorization_code", **form})


async def renew(web: Web, grant: Grant) -> Tokens:
    """Returns newer tokens.

    Raises:
        GrantRefusedError: The server takes the grant no more.
        OAuthError: It does not answer, or not now.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh_token,
        "resource": grant.resource,
    }
    return await _ask(web, grant.token_endpoint, grant.client, form)


async def _ask(web: Web, endpoint: str, client: Client, form: Mapping[str, str]) -> Tokens:
    fields, headers = shown(client)
    response = await web.post_form(endpoint, {**form, **fields}, headers)
    if response.status_code in (200, 201):
        return _tokens(_document(response))
    error = str(_document(response).get("error", ""))
    if not _ERROR.fullmatch(error):
        error = ""
    if response.status_code < 500 and error in _FINAL:
        raise GrantRefusedError(error)
    said = error or str(response.status_code)
    raise OAuthError(Cause.UNREACHABLE, f"the authorization server gives no token: {said}")


def shown(client: Client) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the fields and headers by which a client shows itself."""
    fields = {"client_id": client.id}
    if not client.secret or client.method == "none":
        return fields, {}
    if client.method == "client_secret_post":
        return {**fields, "client_secret": client.secret}, {}
    # RFC 6749 2.3.1: both are encoded as in a form, first.
    pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
    return fields, {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _document(response: httpx2.Response) -> dict[str, Any]:
    try:
        shown = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", shown) if isinstance(shown, dict) else {}


def _tokens(shown: Mapping[str, Any]) -> Tokens:
    access, refresh = shown.get("access_token"), shown.get("refresh_token") or ""
    scope = shown.get("scope") or ""
    kind = str(shown.get("token_type", "Bearer"))
    if not _is_token(access) or (refresh and not _is_token(refresh)) or kind.lower() != "bearer":
        raise OAuthError(Cause.TOKEN_REFUSED, "the authorization server's answer is no token")
    return Tokens(
        access=str(access),
        refresh=str(refresh),
        scope=scope[:4000] if isinstance(scope, str) else "",
        seconds=_seconds(shown.get("expires_in")),
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TOKEN and bool(_TOKEN.fullmatch(value))


def _seconds(value: object) -> int | None:
    # Some servers say it as a text.
    try:
        seconds = int(cast("Any", value))
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 1), _MOST_SECONDS)
