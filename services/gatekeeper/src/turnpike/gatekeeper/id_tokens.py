"""What a token of a tenant's issuer says, if it is to be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from turnpike.gatekeeper.issuer import (
    EMAIL,
    NAME,
    ROLE,
    SUBJECT,
    TENANT,
    USUAL_CLAIMS,
    IssuerSpec,
    Person,
)
from turnpike.gatekeeper.key_sets import KeySets
from turnpike.gatekeeper.model import UnknownCredentialError
from turnpike.gatekeeper.subjects import normal_email

# The clocks of an issuer and of ours may differ by so much.
_SKEW_SECONDS = 60
_REQUIRED = ["iss", "aud", "exp", "iat"]
_LONGEST_NAME = 200
_LONGEST_SUBJECT = 500
# From the least on.
_RANKS = ("viewer", "member", "admin")


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself: enough to find who could have signed it."""

    issuer: str
    audiences: Sequence[str]
    kid: str
    algorithm: str


def peek(token: str) -> Unverified:
    """Returns what a token says of itself; nothing of it is believed yet.

    Raises:
        UnknownCredentialError: It is no JWT.
    """
    try:
        parts = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError):
        raise UnknownCredentialError from None
    header, claims = parts["header"], parts["payload"]
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    return Unverified(
        issuer=_text(claims.get("iss")),
        audiences=[each for each in audiences if isinstance(each, str) and "\0" not in each],
        kid=_text(header.get("kid")),
        algorithm=_text(header.get("alg")),
    )


async def verify(token: str, shown: Unverified, issuer: IssuerSpec, keys: KeySets) -> Person:
    """Returns who bears a token.

    Raises:
        UnknownCredentialError: It is not the issuer's, not for us, or not of now.
        UnavailableError: The issuer's keys cannot be had.
    """
    # Before the keys are looked for: what could not be believed costs no request.
    if shown.algorithm not in issuer.algorithms:
        raise UnknownCredentialError
    key = await keys.find(issuer, shown.kid)
    if key is None or key.algorithm not in ("", shown.algorithm):
        raise UnknownCredentialError
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=list(issuer.algorithms),
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=_SKEW_SECONDS,
            options={"require": _REQUIRED, "verify_sub": False},
        )
        return _person(claims, issuer)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        raise UnknownCredentialError from None


def _person(claims: Mapping[str, Any], issuer: IssuerSpec) -> Person:
    subject = _claim(claims, issuer, SUBJECT)
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise ValueError("the subject is no text")
    if "\0" in subject:
        raise ValueError("the subject has a NUL")
    email = _email(claims, issuer)
    name = _text(_claim(claims, issuer, NAME)) or email or subject
    return Person(
        tenant=_text(_claim(claims, issuer, TENANT)),
        subject=subject,
        name=name[:_LONGEST_NAME],
        email=email,
        role=_role(_claim(claims, issuer, ROLE), issuer),
        # What is believed a little late ends a little late.
        expires=datetime.fromtimestamp(int(claims["exp"]) + _SKEW_SECONDS, UTC),
    )


def _email(claims: Mapping[str, Any], issuer: IssuerSpec) -> str | None:
    if claims.get("email_verified") is not True:
        return None
    try:
        return normal_email(_text(_claim(claims, issuer, EMAIL)))
    except ValueError:
        return None


def _role(claim: Any, issuer: IssuerSpec) -> str | None:
    """Returns the highest role that is mapped; the least, where the claim maps to none."""
    if not issuer.claims.get(ROLE):
        return None
    values = claim if isinstance(claim, list) else [claim]
    roles = {
        issuer.roles[value] for value in values if isinstance(value, str) and value in issuer.roles
    }
    return max(roles, key=_RANKS.index, default=_RANKS[0])


def _claim(claims: Mapping[str, Any], issuer: IssuerSpec, asked: str) -> Any:
    path = issuer.claims.get(asked) or USUAL_CLAIMS.get(asked, "")
    # A name with dots, such as a URL, goes before a path.
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) and "\0" not in value else ""
