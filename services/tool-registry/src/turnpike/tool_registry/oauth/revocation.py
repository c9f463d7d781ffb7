"""Having an authorization server take a token back: RFC 7009."""

from turnpike.tool_registry.oauth.grants import Revocation
from turnpike.tool_registry.oauth.refusals import Cause, OAuthError
from turnpike.tool_registry.oauth.tokens import shown
from turnpike.tool_registry.oauth.web import Web

_LATER = frozenset({408, 425, 429})


async def revoke(web: Web, revocation: Revocation, token: str, kind: str) -> bool:
    """Has a token taken back; false if the server refuses to, which it does for ever.

    Args:
        web: The guarded client.
        revocation: Where, and who we are there.
        token: One that the server gave; it may have ended.
        kind: `refresh_token` or `access_token`.

    Raises:
        OAuthError: It is not known; the server is to be asked again.
    """
    fields, headers = shown(revocation.client)
    form = {"token": token, "token_type_hint": kind, **fields}
    response = await web.post_form(revocation.endpoint, form, headers)
    if response.status_code >= 500 or response.status_code in _LATER:
        raise OAuthError(Cause.UNREACHABLE, f"the server answered {response.status_code}")
    return response.status_code < 300
