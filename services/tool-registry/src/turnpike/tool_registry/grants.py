"""Who renews a credential when, decided in Postgres.

A renewal is claimed in the row for a bounded time, since no transaction may stay open while
an authorization server is asked. What it brings is stored by compare-and-set on the
credential's version and serial: of two that come to an end, the first counts, and nothing
that is stored is ever deleted by the other.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope
from turnpike.tool_registry import bindings
from turnpike.tool_registry.credentials import Credentials, Loan, Renewable


def _on_same(statement: str) -> TextClause:
    """Returns a statement that works on the very secret that was read, or on nothing."""
    same = (
        "WHERE tenant = :tenant AND connector = :connector AND principal = :principal"
        " AND version = :version AND serial = :serial"
    )
    return text(statement.replace("WHERE SAME", same))


_CLAIM = _on_same(
    "UPDATE credentials SET renewal = :renewal,"
    " renewal_until = statement_timestamp() + CAST(:lease AS interval)"
    " WHERE SAME AND renewable <> '' AND refusal = ''"
    " AND coalesce(renewal_until <= statement_timestamp(), true) RETURNING renewable, revocation"
)
_STATE = _on_same(
    "SELECT refusal, renewal_until > statement_timestamp() AS claimed FROM credentials WHERE SAME"
)
_STORE = _on_same(
    "UPDATE credentials SET headers = :headers, header_names = :header_names,"
    " renewable = :renewable, scope = :scope, serial = serial + 1, refusal = '',"
    " expires = statement_timestamp() + CAST(:life AS interval),"
    " renew_at = statement_timestamp() + CAST(:renew_in AS interval),"
    " renewal = NULL, renewal_until = NULL, updated = statement_timestamp() WHERE SAME"
)
# What is stored by nobody is to be taken back. Not while the credential is there, renewed by
# another: what both were given came of one consent, and may end together.
_OWE = text(
    "INSERT INTO revocations (tenant, connector, principal, revocation, renewable, headers)"
    " SELECT :tenant, :connector, :principal, :revocation, :renewable, :headers"
    " WHERE NOT EXISTS (SELECT FROM credentials WHERE tenant = :tenant"
    " AND connector = :connector AND principal = :principal AND version = :version)"
)
# What is known to be refused serves until it ends.
_REFUSE = _on_same(
    "UPDATE credentials SET refusal = :refusal, renew_at = coalesce(expires, renew_at),"
    " renewal = NULL, renewal_until = NULL WHERE SAME AND renewal = :renewal"
)
# It is registered anew by the next sign-in.
_FORGET_CLIENT = text(
    "DELETE FROM oauth_clients WHERE tenant = :tenant AND connector = :connector"
    " AND issuer = :issuer"
)
_RELEASE = _on_same(
    "UPDATE credentials SET renewal = NULL, renewal_until = NULL, renew_at = CASE"
    " WHEN expires > statement_timestamp()"
    " THEN least(expires, statement_timestamp() + CAST(:pause AS interval))"
    " ELSE renew_at END WHERE SAME AND renewal = :renewal"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A renewal that is this caller's to do."""

    tenant: UUID
    connector: str
    loan: Loan
    id: UUID
    grant: str = field(repr=False)
    revocation: str = field(repr=False)
    """How to take it back, sealed as it is stored; empty where that is not known."""

    @property
    def key(self) -> dict[str, Any]:
        """The row as it was claimed."""
        return {**_same(self.tenant, self.connector, self.loan), "renewal": self.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a credential stands that somebody else may be renewing."""

    is_claimed: bool
    refusal: str


class Grants:
    """What renews the credentials of every tenant.

    Every method takes a transaction of the tenant that it works for.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._credentials = Credentials(envelope)

    async def claim(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        connector: str,
        loan: Loan,
        *,
        lease: timedelta,
    ) -> Claim | None:
        """Returns a renewal to do; None when another does it, or nothing is left to do."""
        renewal = uuid4()
        values = {**_same(tenant, connector, loan), "renewal": renewal, "lease": lease}
        row = (await connection.execute(_CLAIM, values)).one_or_none()
        if row is None:
            return None
        bound = bindings.of_grant(tenant, connector, loan.principal)
        return Claim(
            tenant=tenant,
            connector=connector,
            loan=loan,
            id=renewal,
            grant=self._envelope.open(bound, row.renewable),
            revocation=row.revocation,
        )

    async def standing(
        self, connection: AsyncConnection, tenant: UUID, connector: str, loan: Loan
    ) -> Standing | None:
        """Returns how the very secret of a loan stands; None when there is another by now."""
        row = (await connection.execute(_STATE, _same(tenant, connector, loan))).one_or_none()
        return None if row is None else Standing(is_claimed=bool(row.claimed), refusal=row.refusal)

    async def store(
        self,
        connection: AsyncConnection,
        claim: Claim,
        headers: dict[str, str],
        renewable: Renewable,
    ) -> bool:
        """Stores what a renewal brought; says whether it was still wanted.

        Also when the claim has run out: as long as nobody stored anything newer, this is
        the only secret that is good.
        """
        columns = self._credentials.columns(
            claim.tenant, claim.connector, claim.loan.principal, headers, renewable
        )
        values = {**claim.key, **columns, "header_names": sorted(headers)}
        if (await connection.execute(_STORE, values)).rowcount == 1:
            return True
        if claim.revocation:
            await connection.execute(_OWE, {**values, "revocation": claim.revocation})
        return False

    async def refuse(
        self, connection: AsyncConnection, claim: Claim, refusal: str, *, lost_client: str = ""
    ) -> bool:
        """Notes that a credential cannot be renewed; false when that is not so any more.

        Args:
            connection: A transaction of the tenant.
            claim: The renewal that was refused.
            refusal: Why.
            lost_client: The issuer, if it does not know its client any more.
        """
        values = {**claim.key, "refusal": refusal}
        noted = (await connection.execute(_REFUSE, values)).rowcount == 1
        if noted and lost_client:
            await connection.execute(_FORGET_CLIENT, {**claim.key, "issuer": lost_client})
        return noted

    async def release(self, connection: AsyncConnection, claim: Claim, *, pause: timedelta) -> None:
        """Lets another try; while the secret is good, not before the pause is over."""
        await connection.execute(_RELEASE, {**claim.key, "pause": pause})


def _same(tenant: UUID, connector: str, loan: Loan) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "connector": connector,
        "principal": loan.principal,
        "version": loan.version,
        "serial": loan.serial,
    }
