"""Who a credential belongs to."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from turnpike.gatekeeper.id_tokens import peek, verify
from turnpike.gatekeeper.issuer import TENANT
from turnpike.gatekeeper.journal import Journal
from turnpike.gatekeeper.key_sets import KeySets
from turnpike.gatekeeper.keyring import Found, Keyring
from turnpike.gatekeeper.model import Principal, Revocation, UnknownCredentialError
from turnpike.gatekeeper.revocations import Revocations
from turnpike.rpc import credentials
from turnpike.rpc.credentials import KEY_PREFIX, Exchanged, WatchRevocations
from turnpike.rpc.errors import RemoteError, UnavailableError
from turnpike.rpc.identity import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A principal token, and who it was issued to."""

    token: str
    expires: datetime
    principal: Principal


class Authentication:
    """Exchanges API keys, and tokens of tenants' issuers, for principal tokens."""

    def __init__(self, keyring: Keyring, keys: KeySets, signer: Signer, journal: Journal) -> None:
        self._keyring = keyring
        self._keys = keys
        self._signer = signer
        self._journal = journal

    async def authenticate(self, credential: str) -> Issued:
        """Issues a token to the principal of a key, or whom an issuer's token names.

        Who is banned is given one that says so: it opens what shows, and the
        admission that refuses.

        Raises:
            UnknownCredentialError: There is no such key, or it is expired or
                revoked, or the token is not to be believed; the answer is the
                same for all, and its time for keys.
            UnavailableError: Postgres does not answer, or an issuer whose keys were
                never seen.
        """
        if credential.startswith(KEY_PREFIX):
            found = await self._keyring.find_key(credential)
        else:
            found = await self._find_person(credential)
        if found is None:
            raise UnknownCredentialError
        return self._issue(found)

    async def exchange(self, credential: str) -> Exchanged:
        """Authenticates callers of gatekeeper itself; raises as `authenticate` does."""
        issued = await self.authenticate(credential)
        return Exchanged(token=issued.token, expires=issued.expires)

    async def _find_person(self, token: str) -> Found | None:
        shown = peek(token)
        issuers = await self._keyring.find_issuers(shown.issuer, shown.audiences)
        if len(issuers) != 1:
            # None, or a token for several, which does not say for which one it is.
            return None
        issuer, platform = issuers[0]
        person = await verify(token, shown, issuer.spec, self._keys)
        tenant = issuer.tenant
        if platform and issuer.spec.claims.get(TENANT):
            named = await self._keyring.find_tenant(person.tenant) if person.tenant else None
            if named is None:
                return None
            tenant = named
        return await self._keyring.sign_in(tenant, issuer.spec.issuer, person)

    def _issue(self, found: Found) -> Issued:
        principal, key = found.principal, found.key
        if key is not None:
            self._journal.used(key.id)
        token, expires = self._signer.principal_token(
            tenant=str(principal.tenant),
            principal=str(principal.id),
            role=principal.role,
            key=str(key.id) if key else "",
            until=found.until,
            scopes=key.scopes if key else (),
            generation=principal.generation,
            banned=found.banned,
        )
        return Issued(token=token, expires=expires, principal=principal)


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
        generation=revocation.generation,
    )
