"""Why nobody gets a token."""

from enum import StrEnum


class Cause(StrEnum):
    """What is in the way, for machines."""

    NOT_HTTP = "NOT_HTTP"
    NO_AUTHORIZATION_SERVER = "NO_AUTHORIZATION_SERVER"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    UNREACHABLE = "UNREACHABLE"
    METADATA_INVALID = "METADATA_INVALID"
    RESOURCE_MISMATCH = "RESOURCE_MISMATCH"
    ISSUER_MISMATCH = "ISSUER_MISMATCH"
    PKCE_UNSUPPORTED = "PKCE_UNSUPPORTED"
    CLIENT_REFUSED = "CLIENT_REFUSED"
    ACCESS_DENIED = "ACCESS_DENIED"
    TOKEN_REFUSED = "TOKEN_REFUSED"  # noqa: S105 # no secret
    CONNECTOR_CHANGED = "CONNECTOR_CHANGED"


class OAuthError(Exception):
    """There is no token to be had, for a reason that may be told."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class GrantRefusedError(OAuthError):
    """The authorization server takes what it gave no more: only a new sign-in helps."""

    def __init__(self, error: str) -> None:
        super().__init__(Cause.TOKEN_REFUSED, f"the authorization server says {error!r}")
        self.is_of_client = error in ("invalid_client", "unauthorized_client")
