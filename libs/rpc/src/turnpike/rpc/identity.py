"""Who calls, and the tokens that say so."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from time import time
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from turnpike.rpc.errors import ForbiddenError

GATEKEEPER = "gatekeeper"
"""The only issuer of principal tokens."""

TOKEN_LIFETIME = timedelta(seconds=60)

ALGORITHM = "EdDSA"
_RANKS = {"viewer": 1, "member": 2, "admin": 3, "owner": 4}
TOKENS_KEPT = 10_000
"""How many signed, or verified, tokens are remembered."""

_REUSE_UNTIL_LEFT = 15.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, and for whom."""

    tenant: str
    """Empty for a service that acts for itself."""

    principal: str
    role: str
    """`owner`, `admin`, `member` or `viewer`; empty where only a service vouches."""

    key: str = ""
    """The id of the API key that opened the door; empty where none did."""

    service: str = ""
    """The calling service's name; empty when the principal calls by itself."""

    scopes: tuple[str, ...] = ()
    """What the key opens of what the role allows, sorted; none means all of it."""

    generation: int = 0
    """How often the principal's role or standing had changed."""

    banned: bool = False
    """Whether the principal was banned: then it may look, and be refused admission."""


def require_role(caller: Caller, least: str) -> None:
    """Returns if the caller has the role or a higher one; else raises `ForbiddenError`."""
    if _RANKS.get(caller.role, 0) < _RANKS[least]:
        raise ForbiddenError(f"this needs the role {least!r}", role=caller.role)


def require_service(caller: Caller, *names: str) -> None:
    """Returns if one of the named services calls; else raises `ForbiddenError`."""
    if caller.service not in names:
        raise ForbiddenError(f"this is for {' and '.join(names)} alone")


class Signer:
    """Issues a service's tokens."""

    def __init__(self, service: str, seed: bytes, *, clock: Callable[[], float] = time) -> None:
        self._service = service
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._clock = clock
        self._tokens: OrderedDict[Caller, tuple[str, float]] = OrderedDict()

    def principal_token(
        self,
        *,
        tenant: str,
        principal: str,
        role: str,
        key: str = "",
        until: datetime | None = None,
        scopes: Sequence[str] = (),
        generation: int = 0,
        banned: bool = False,
    ) -> tuple[str, datetime]:
        """Returns a token for somebody who proved who they are, and when it ends.

        It lives for `TOKEN_LIFETIME`, but no longer than what was shown, which
        ends at `until`. Gatekeeper's alone: nobody believes another service's.
        """
        caller = Caller(
            tenant=tenant,
            principal=principal,
            role=role,
            key=key,
            scopes=tuple(sorted(scopes)),
            generation=generation,
            banned=banned,
        )
        token, expires = self._sign(caller, until.timestamp() if until else inf)
        return token, datetime.fromtimestamp(expires, UTC)

    def for_tenant(
        self, tenant: str | UUID = "", principal: str | UUID = "", role: str = "", key: str = ""
    ) -> str:
        """Returns a token by which this service acts for a tenant's principal.

        Without a tenant the service acts for itself. The same token is given
        again until its last quarter.
        """
        caller = Caller(str(tenant), str(principal), role, key, self._service)
        held = self._tokens.get(caller)
        if held is not None and held[1] - self._clock() > _REUSE_UNTIL_LEFT:
            return held[0]
        self._tokens[caller] = held = self._sign(caller)
        self._tokens.move_to_end(caller)
        if len(self._tokens) > TOKENS_KEPT:
            self._tokens.popitem(last=False)
        return held[0]

    def metadata_for(
        self, tenant: str | UUID = "", principal: str | UUID = "", role: str = "", key: str = ""
    ) -> tuple[tuple[str, str], ...]:
        """Returns `for_tenant`'s token as the metadata of a call."""
        return bearer(self.for_tenant(tenant, principal, role, key))

    def _sign(self, caller: Caller, until: float = inf) -> tuple[str, float]:
        now = self._clock()
        expires = min(now + TOKEN_LIFETIME.total_seconds(), until)
        claims: dict[str, Any] = {
            "iss": self._service,
            "sub": caller.principal,
            "ten": caller.tenant,
            "role": caller.role,
            "key": caller.key,
            "svc": caller.service,
            "scp": " ".join(caller.scopes),
            "gen": caller.generation,
            "ban": caller.banned,
            "iat": now,
            "exp": expires,
            "jti": uuid4().hex,
        }
        headers = {"kid": self._service}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers=headers), expires


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata that shows `token` to a callee."""
    return (("authorization", f"Bearer {token}"),)
