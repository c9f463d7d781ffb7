"""Tells valid tokens from others, and remembers what was revoked."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import time
from typing import Any

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from turnpike.rpc.errors import UnauthenticatedError
from turnpike.rpc.identity import ALGORITHM, GATEKEEPER, TOKENS_KEPT, Caller

_CLAIMS = ["iss", "sub", "ten", "role", "key", "svc", "iat", "exp", "jti"]
# A browser's token for a stream lives for an hour, whatever it was given for.
_REMEMBERED = timedelta(minutes=65)
# Who handed a token on may hear later than we that its principal changed, and get a new one.
_RENEWAL_GRACE = timedelta(seconds=0.5)
# Clocks of two machines may differ by so much.
_CLOCK_SKEW = 10.0


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature and time hold."""

    caller: Caller
    issuer: str
    issued: float
    expires: float


class Verifier:
    """Tells valid tokens from others, and remembers what was revoked.

    Args:
        trusted_keys: Every service's raw Ed25519 public key, by name.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, trusted_keys: Mapping[str, bytes], *, clock: Callable[[], float] = time
    ) -> None:
        self._keys = {
            name: Ed25519PublicKey.from_public_bytes(raw) for name, raw in trusted_keys.items()
        }
        self._clock = clock
        self._verified: OrderedDict[str, Verified] = OrderedDict()
        self._revoked_keys: dict[str, float] = {}
        self._revoked_principals: dict[tuple[str, str], tuple[float, float]] = {}
        self._generations: dict[tuple[str, str], tuple[int, float]] = {}

    def verify(self, token: str) -> Verified:
        """Returns what a token says, or raises `UnauthenticatedError`."""
        verified = self._verified.get(token)
        if verified is None:
            verified = self._check(token)
            self._verified[token] = verified
            if len(self._verified) > TOKENS_KEPT:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(token)
        if verified.expires <= self._clock():
            self._verified.pop(token, None)
            raise UnauthenticatedError("the token has expired")
        if self._is_revoked(verified):
            raise UnauthenticatedError("the credential was revoked")
        return verified

    def is_foreign(self, credential: str) -> bool:
        """Tells a token of somebody else's from one of ours, and from what is none."""
        if credential in self._verified:
            return False
        try:
            header = jwt.get_unverified_header(credential)
        except (jwt.InvalidTokenError, ValueError):
            return False
        return header.get("kid") not in self._keys

    def is_outdated(self, token: str) -> bool:
        """Tells whether a valid token's principal has changed since: a new one says how."""
        verified = self._verified.get(token)
        return self._is_old((verified or self._check(token)).caller)

    def refuse_revoked(self, caller: Caller) -> None:
        """Returns unless the caller's key was revoked or the caller removed.

        Else raises `UnauthenticatedError`.
        """
        who = (caller.tenant, caller.principal)
        if caller.key in self._revoked_keys or who in self._revoked_principals:
            raise UnauthenticatedError("the credential was revoked")

    def revoke_key(self, key: str) -> None:
        """Refuses every principal token that an API key was exchanged for."""
        self._forget_old_revocations()
        self._revoked_keys[key] = self._clock()

    def revoke_principal(self, tenant: str, principal: str, revoked: float) -> None:
        """Refuses the principal's tokens that were issued before `revoked`."""
        self._forget_old_revocations()
        self._revoked_principals[tenant, principal] = (revoked, self._clock())

    def renew_principal(self, tenant: str, principal: str, generation: int) -> None:
        """Refuses the principal's tokens of a lower generation, after half a second."""
        self._forget_old_revocations()
        known, _ = self._generations.get((tenant, principal), (0, 0.0))
        self._generations[tenant, principal] = (max(known, generation), self._clock())

    def _check(self, token: str) -> Verified:
        try:
            issuer = str(jwt.get_unverified_header(token).get("kid"))
            # `exp` is ours to check, on every use and not only on the first;
            # `iat` is PyJWT's only without any skew of clocks.
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[issuer],
                algorithms=[ALGORITHM],
                issuer=issuer,
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False},
            )
            verified = _parse(claims)
        except (jwt.InvalidTokenError, InvalidSignature, KeyError, TypeError, ValueError) as error:
            raise UnauthenticatedError("the credential is not valid") from error
        if verified.issued > self._clock() + _CLOCK_SKEW:
            raise UnauthenticatedError("the token is from the future: do the clocks agree?")
        return verified

    def _is_revoked(self, verified: Verified) -> bool:
        # A service answers for itself: what it does for a principal goes on, or
        # is stopped by who runs it, whatever became of the principal's key.
        caller = verified.caller
        if caller.service:
            return False
        if caller.key in self._revoked_keys or self._is_old(caller, _RENEWAL_GRACE):
            return True
        revoked, _ = self._revoked_principals.get((caller.tenant, caller.principal), (0.0, 0.0))
        return verified.issued <= revoked

    def _is_old(self, caller: Caller, grace: timedelta = timedelta(0)) -> bool:
        newest, heard = self._generations.get((caller.tenant, caller.principal), (0, 0.0))
        return caller.generation < newest and self._clock() - heard >= grace.total_seconds()

    def _forget_old_revocations(self) -> None:
        # By then every token from before has expired, and what was lent by it.
        old = self._clock() - _REMEMBERED.total_seconds()
        self._revoked_keys = {key: at for key, at in self._revoked_keys.items() if at > old}
        self._revoked_principals = {
            who: times for who, times in self._revoked_principals.items() if times[1] > old
        }
        self._generations = {who: each for who, each in self._generations.items() if each[1] > old}


def _parse(claims: Mapping[str, Any]) -> Verified:
    issuer = claims["iss"]
    names = ("ten", "sub", "role", "key", "svc")
    tenant, principal, role, key, service = (claims[name] for name in names)
    if not all(isinstance(claims[name], str) for name in names):
        raise ValueError("a claim is no string")
    if service:
        # Nobody speaks for another service, gatekeeper included.
        if service != issuer:
            raise ValueError("the issuer is not the service")
    elif issuer != GATEKEEPER or not (tenant and principal and role):
        raise ValueError("not a principal token")
    return Verified(
        caller=Caller(
            tenant,
            principal,
            role,
            key,
            service,
            scopes=tuple(str(claims.get("scp", "")).split()),
            generation=int(claims.get("gen", 0)),
            banned=claims.get("ban") is True,
        ),
        issuer=issuer,
        issued=float(claims["iat"]),
        expires=float(claims["exp"]),
    )
