"""Who a credential belongs to."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from turnpike.gatekeeper.journal import Journal
from turnpike.gatekeeper.model import ApiKey, Revocation, UnknownCredentialError
from turnpike.gatekeeper.revocations import Revocations
from turnpike.gatekeeper.system import System
from turnpike.rpc import credentials
from turnpike.rpc.credentials import Exchanged, WatchRevocations
from turnpike.rpc.errors import RemoteError, UnavailableError
from turnpike.rpc.identity import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A principal token, and the key that it was issued for."""

    token: str
    expires: datetime
    key: ApiKey


class Authentication:
    """Exchanges API keys for principal tokens."""

    def __init__(self, system: System, signer: Signer, journal: Journal) -> None:
        self._system = system
        self._signer = signer
        self._journal = journal

    async def authenticate(self, secret: str) -> Issued:
        """Issues a token to the principal of the key that `secret` is.

        Raises:
            UnknownCredentialError: There is no such key, or it is expired or
                revoked; the answer and its time are the same for all three.
            UnavailableError: Postgres does not answer.
        """
        key = await self._system.find_key(secret)
        if key is None:
            raise UnknownCredentialError
        self._journal.used(key.id)
        token, expires = self._signer.principal_token(
            tenant=str(key.principal.tenant),
            principal=str(key.principal.id),
            role=key.principal.role,
            key=str(key.id),
            until=key.expires,
        )
        return Issued(token=token, expires=expires, key=key)

    async def exchange(self, credential: str) -> Exchanged:
        """Authenticates callers of gatekeeper itself; raises as `authenticate` does."""
        issued = await self.authenticate(credential)
        return Exchanged(token=issued.token, expires=issued.expires)


def own_revocations(revocations: Revocations) -> WatchRevocations:
    """Returns how gatekeeper itself learns what was revoked, as its peers do by rpc."""

    async def watch(after: int) -> AsyncGenerator[credentials.Revocations]:
        try:
            async with aclosing(revocations.watch(after)) as batches:
                async for found, position in batches:
                    yield credentials.Revocations([_for_peers(each) for each in found], position)
        except UnavailableError as error:
            raise RemoteError(code=error.code, reason=error.reason, message=str(error)) from error

    return watch


def _for_peers(revocation: Revocation) -> credentials.Revocation:
    return credentials.Revocation(
        tenant=str(revocation.tenant),
        principal=str(revocation.principal),
        key=str(revocation.key) if revocation.key else "",
        revoked=revocation.revoked,
    )
