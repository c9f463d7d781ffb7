"""What goes to an authorization server and back as `state`: who began a sign-in, and where."""

import hmac
import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from turnpike.gateway.seals import Seal
from turnpike.rpc.identity import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """Who began a sign-in, to what, and in which browser."""

    tenant: str
    principal: str
    role: str
    key: str
    connector: str
    browser: str
    """Digest of a cookie; empty when it was begun by no browser."""

    nonce: str

    @property
    def caller(self) -> Caller:
        """Who began it."""
        return Caller(self.tenant, self.principal, self.role, self.key)

    def is_from(self, cookie: str) -> bool:
        """Tells whether a browser is the one that began it."""
        return bool(self.browser) and hmac.compare_digest(self.browser, digest_of(cookie))


class SignInStates:
    """States, sealed: nobody but the gateway's replicas can make or read one.

    That each is used once, and not for long, is the registry's to see.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def close(self, caller: Caller, connector: str, *, cookie: str = "") -> str:
        """Returns a new state of somebody who begins a sign-in."""
        state = SignInState(
            tenant=caller.tenant,
            principal=caller.principal,
            role=caller.role,
            key=caller.key,
            connector=connector,
            browser=digest_of(cookie) if cookie else "",
            nonce=secrets.token_urlsafe(16),
        )
        return self._seal.close(asdict(state))

    def open(self, state: str) -> SignInState | None:
        """Returns what is in a state, or None if it is none of ours."""
        document: dict[str, Any] | None = self._seal.open(state)
        return None if document is None else SignInState(**document)


def digest_of(cookie: str) -> str:
    """Returns what stands for a browser's cookie where others can see it."""
    return sha256(cookie.encode()).hexdigest()
