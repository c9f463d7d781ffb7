"""A sign-in from its two ends: where the browser is sent, and what it brings back."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field

import orjson

from turnpike.tool_registry.oauth import tokens
from turnpike.tool_registry.oauth.clients import known_client, register
from turnpike.tool_registry.oauth.consent import ask, consent_from
from turnpike.tool_registry.oauth.grants import Client, Grant, Tokens, client_from
from turnpike.tool_registry.oauth.refusals import Cause, OAuthError
from turnpike.tool_registry.oauth.servers import find_server
from turnpike.tool_registry.oauth.web import Web, open_web

__all__ = ["Asked", "Registry", "Wish", "begin", "open_web", "redeem"]

_ERROR = re.compile(r"^[a-z_]{1,60}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to sign in to, and how."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    scope: str
    """To be asked for beside what the server names."""

    redirect_uri: str
    client_metadata_url: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Which clients there are."""

    given: Mapping[str, Client]
    """The operator's, by issuer without its last slash."""

    find: Callable[[str], Awaitable[str | None]]
    """Returns the client that an issuer registered before, as text."""

    keep: Callable[[str, str], Awaitable[None]]
    """Keeps the client that an issuer registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person is to be asked."""

    issuer: str
    pending: str = field(repr=False)
    """What `redeem` needs."""

    authorization_url: str


async def begin(web: Web, wish: Wish, registry: Registry) -> Asked:
    """Returns where to send the person's browser, or raises `OAuthError`."""
    web.check_return(wish.redirect_uri)
    server = await find_server(
        web, wish.url, wish.headers, preferred=registry.given.keys(), scope=wish.scope
    )
    client = known_client(server, registry.given, wish.client_metadata_url)
    if client is None:
        # A client is registered for scopes: for more, another one is.
        found = None if wish.scope else await registry.find(server.issuer)
        client = client_from(found) if found else None
    if client is None:
        client = await register(web, server, wish.redirect_uri)
        await registry.keep(server.issuer, orjson.dumps(asdict(client)).decode())
    consent, url = ask(server, client, wish.redirect_uri, wish.state)
    return Asked(issuer=server.issuer, pending=consent.to_text(), authorization_url=url)


async def redeem(
    web: Web, pending: str, *, code: str, issuer: str, error: str
) -> tuple[Grant, Tokens, str]:
    """Returns what the person consented to, and how to take it back, as text.

    Args:
        web: The guarded client.
        pending: What `begin` gave.
        code: The authorization code.
        issuer: Who says so; empty when nobody said.
        error: The server's error, when there is no code.

    Raises:
        OAuthError: Nothing.
    """
    consent = consent_from(pending)
    # Before anything that was said counts.
    consent.check_issuer(issuer)
    if error:
        said = error if _ERROR.fullmatch(error) else "an error"
        cause = Cause.ACCESS_DENIED if error == "access_denied" else Cause.TOKEN_REFUSED
        raise OAuthError(cause, f"the authorization server says {said!r}")
    if not code:
        raise OAuthError(Cause.TOKEN_REFUSED, "the authorization server gave no code")
    form = {
        "code": code,
        "code_verifier": consent.verifier,
        "redirect_uri": consent.redirect_uri,
        "resource": consent.resource,
    }
    endpoint = str(consent.server.token_endpoint)
    given = await tokens.exchange(web, endpoint, consent.client, form)
    return consent.granted(given), given, consent.revocation
