"""Who asks: from what a request shows to a credential that services take."""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.types import Scope

from turnpike.gateway.calls import Credential
from turnpike.gateway.problems import ProblemError, unauthenticated
from turnpike.gateway.requests import header
from turnpike.gateway.sessions import Session, Sessions, StreamGrant, StreamTokens
from turnpike.rpc.credentials import KEY_PREFIX, Credentials
from turnpike.rpc.identity import Caller, Signer

SESSION_COOKIE = "turnpike_session"
CSRF_COOKIE = "turnpike_csrf"

# More than any API key or token of ours has, or an issuer's that is accepted.
_LONGEST = 8192
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class ShownCredential:
    """An API key, a principal token or an issuer's token that the request brought."""

    credentials: Credentials
    shown: str

    async def token(self) -> str:
        """Returns the principal's token."""
        return await self.credentials.token(self.shown)

    async def caller(self) -> Caller:
        """Returns who shows it."""
        return await self.credentials.caller(self.shown)

    async def grant(self, turn: str) -> StreamGrant:
        """Returns what lets its bearer read a turn's events in the same name."""
        if self.shown.startswith(KEY_PREFIX):
            return StreamGrant(turn=turn, credential=self.shown)
        return StreamGrant(turn=turn, caller=await self.credentials.caller(self.shown))


@dataclass(frozen=True, slots=True)
class LentCredential:
    """The gateway's own word for somebody who was here before."""

    credentials: Credentials
    signer: Signer
    caller: Caller

    async def token(self) -> str:
        """Returns a token of the gateway's that names the principal."""
        who = self.caller
        self.credentials.refuse_revoked(who)
        return self.signer.for_tenant(who.tenant, who.principal, who.role, who.key)


class Authentication:
    """The ways to say who one is."""

    def __init__(
        self,
        credentials: Credentials,
        signer: Signer,
        sessions: Sessions,
        stream_tokens: StreamTokens,
    ) -> None:
        self._credentials = credentials
        self._signer = signer
        self.sessions = sessions
        self.stream_tokens = stream_tokens

    def identify(self, scope: Scope) -> ShownCredential:
        """Returns the credential in the header, else the one of the session.

        That it is there is all that is checked here; the first call asks for
        its token.

        Raises:
            ProblemError: There is none, or a session's write lacks its token.
        """
        authorization = header(scope, b"authorization")
        if authorization:
            scheme, _, shown = authorization.partition(" ")
            if scheme.lower() != "bearer" or not shown.strip():
                raise unauthenticated("the Authorization header must be `Bearer` and a credential")
            return self._shown(shown.strip())
        if key := header(scope, b"x-api-key"):
            # As Anthropic's clients show it.
            return self._shown(key)
        session = self.session(scope)
        if session is None:
            raise unauthenticated("a credential is needed: `Authorization: Bearer KEY`")
        return self._shown(session.key)

    def identify_reader(self, scope: Scope, turn: str, token: str | None) -> Credential:
        """Returns the credential to read one turn's events by.

        Raises:
            ProblemError: There is none, or the token is not for this turn.
        """
        if token is None or header(scope, b"authorization"):
            return self.identify(scope)
        grant = self.stream_tokens.open(token)
        if grant is None or grant.turn != turn:
            raise unauthenticated("the stream token is not valid for this turn, or has expired")
        if grant.caller is not None:
            return self.lend(grant.caller)
        return self._shown(grant.credential)

    def lend(self, caller: Caller) -> LentCredential:
        """Returns the credential to end in somebody's name what that one began."""
        return LentCredential(self._credentials, self._signer, caller)

    async def begin_session(self, key: str) -> tuple[str, Session]:
        """Returns a cookie's value and the session in it, for a key that is valid."""
        if not key.startswith(KEY_PREFIX):
            raise unauthenticated("the credential is not valid")
        await self._shown(key).token()
        return self.sessions.begin(key)

    def _shown(self, shown: str) -> ShownCredential:
        if len(shown) > _LONGEST:
            raise unauthenticated("the credential is not valid")
        return ShownCredential(self._credentials, shown)

    def session(self, scope: Scope) -> Session | None:
        """Returns the session that a request belongs to, if it belongs to one.

        Raises:
            ProblemError: It is a write that lacks the session's token.
        """
        cookie = header(scope, b"cookie")
        if SESSION_COOKIE not in cookie:
            return None
        try:
            morsel = SimpleCookie(cookie).get(SESSION_COOKIE)
        except CookieError:
            return None
        session = self.sessions.resume(morsel.value) if morsel else None
        if session is None or scope["method"] in _READS:
            return session
        if not session.allows_write(header(scope, b"x-csrf-token")):
            raise ProblemError(
                403, "FORBIDDEN", "a write in a session needs its X-CSRF-Token header"
            )
        return session
