"""What browsers carry: a session, and a token for one turn's events."""

import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from turnpike.gateway.seals import Seal
from turnpike.rpc.identity import Caller


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session: an API key that its scripts cannot read."""

    key: str
    csrf_token: str
    expires: int

    def allows_write(self, csrf_token: str) -> bool:
        """Tells whether a write comes from a page that was given the token."""
        return hmac.compare_digest(csrf_token.encode(), self.csrf_token.encode())


class Sessions:
    """Sessions, kept by the browsers themselves in a sealed cookie.

    The key is inside, so that revoking it ends the session.
    """

    def __init__(self, seal: Seal, lifetime: timedelta) -> None:
        self._seal = seal
        self.lifetime = lifetime

    def begin(self, key: str) -> tuple[str, Session]:
        """Returns a cookie's value, and the session in it."""
        expires = int(time.time() + self.lifetime.total_seconds())
        session = Session(key, secrets.token_urlsafe(24), expires)
        cookie = self._seal.close({"k": session.key, "c": session.csrf_token, "x": expires})
        return cookie, session

    def resume(self, cookie: str) -> Session | None:
        """Returns the session in a cookie, unless it is none or has expired."""
        document = self._seal.open(cookie)
        if document is None or document["x"] <= time.time():
            return None
        return Session(document["k"], document["c"], document["x"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGrant:
    """Lets whoever has it read one turn's events, as somebody."""

    turn: str
    credential: str = ""
    """The API key that asked for it, so that revoking the key ends it."""

    caller: Caller | None = None
    """Who asked for it, where that was by no key."""


class StreamTokens:
    """Tokens for one turn's events, for clients that cannot set a header."""

    def __init__(self, seal: Seal, lifetime: timedelta) -> None:
        self._seal = seal
        self._lifetime = lifetime

    def issue(self, grant: StreamGrant) -> tuple[str, int]:
        """Returns a token, and when it expires, in seconds since the epoch."""
        expires = int(time.time() + self._lifetime.total_seconds())
        document: dict[str, object] = {"t": grant.turn, "k": grant.credential, "x": expires}
        if grant.caller is not None:
            who = grant.caller
            document["w"] = [who.tenant, who.principal, who.role, who.key]
        return self._seal.close(document), expires

    def open(self, token: str) -> StreamGrant | None:
        """Returns what a token grants, unless it is none or has expired."""
        document = self._seal.open(token)
        if document is None or document["x"] <= time.time():
            return None
        who = document.get("w")
        return StreamGrant(
            turn=document["t"],
            credential=document["k"],
            caller=Caller(*who) if who else None,
        )
