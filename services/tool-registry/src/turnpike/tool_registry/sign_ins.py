"""Persons on their way through an authorization server's pages, kept in Postgres, sealed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope
from turnpike.tool_registry import bindings

# Of all who come back with one state, one is let through; whom it is not for learns
# nothing of it, and uses nothing up.
_USE = text(
    "UPDATE sign_ins s SET status = 'EXCHANGING', pending = '' FROM ("
    "  SELECT tenant, id, pending FROM sign_ins WHERE tenant = :tenant"
    "  AND state_digest = :state_digest AND principal = :principal AND status = 'PENDING'"
    "  AND expires > statement_timestamp() FOR UPDATE) before"
    " WHERE s.tenant = before.tenant AND s.id = before.id"
    " RETURNING s.*, before.pending AS opened, false AS late"
)
_INSERT = text(
    "INSERT INTO sign_ins (tenant, id, state_digest, connector, principal, owner, place, issuer,"
    " pending, expires) VALUES (:tenant, :id, :state_digest, :connector, :principal, :owner,"
    " :place, :issuer, :pending, statement_timestamp() + CAST(:life AS interval))"
    " ON CONFLICT (tenant, state_digest) DO NOTHING RETURNING *, false AS late"
)
_END = text(
    "UPDATE sign_ins SET status = :status, reason = :reason, message = :message"
    " WHERE tenant = :tenant AND id = :id RETURNING *, false AS late"
)
_GET = text(
    "SELECT *, status IN ('PENDING', 'EXCHANGING') AND expires <= statement_timestamp() AS late"
    " FROM sign_ins WHERE tenant = :tenant AND id = :id AND principal = :principal"
)
# What another ends, or forgets, at the moment is left to it.
_TRIM = text(
    "DELETE FROM sign_ins s USING (SELECT id FROM sign_ins WHERE tenant = :tenant AND id IN ("
    "  SELECT id FROM sign_ins WHERE tenant = :tenant AND principal = :principal"
    "  ORDER BY created DESC OFFSET 20) FOR UPDATE SKIP LOCKED) gone"
    " WHERE s.tenant = :tenant AND s.id = gone.id"
)
_CLIENT = text(
    "SELECT client FROM oauth_clients WHERE tenant = :tenant AND connector = :connector"
    " AND issuer = :issuer AND redirect_uri = :redirect_uri"
)
_KEEP_CLIENT = text(
    "INSERT INTO oauth_clients (tenant, connector, issuer, redirect_uri, client)"
    " VALUES (:tenant, :connector, :issuer, :redirect_uri, :client)"
    " ON CONFLICT (tenant, connector, issuer, redirect_uri) DO UPDATE SET"
    " client = excluded.client, created = statement_timestamp()"
)
_FORGET_CLIENTS = text(
    "DELETE FROM oauth_clients WHERE tenant = :tenant AND connector = :connector"
    " AND (:issuer = '' OR issuer = :issuer)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in as it stands."""

    id: UUID
    connector: str
    owner: str
    """Whose the credential will be; empty for the shared one."""

    place: str
    """Where the connector's server was when it began."""

    issuer: str
    status: str
    reason: str
    message: str
    expire_time: datetime
    pending: str = field(default="", repr=False)
    """What is needed to end it, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSignIn:
    """A sign-in that begins."""

    connector: str
    principal: str
    """Who begins it, and alone may end it."""

    owner: str
    place: str
    issuer: str
    state: str
    pending: str = field(repr=False)
    life: timedelta


class SignIns:
    """The sign-ins of every tenant, and the clients that were registered for them.

    Every method takes a transaction of the tenant that it works for.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def begin(
        self, connection: AsyncConnection, tenant: UUID, new: NewSignIn
    ) -> SignIn | None:
        """Stores a sign-in that begins; None when its state was used before.

        Of one principal the newest twenty are kept.
        """
        identity = uuid4()
        bound = bindings.of_sign_in(tenant, new.connector, identity)
        values = {
            "tenant": tenant,
            "id": identity,
            "state_digest": _digest(new.state),
            "connector": new.connector,
            "principal": new.principal,
            "owner": new.owner,
            "place": new.place,
            "issuer": new.issuer,
            "pending": self._envelope.seal(bound, new.pending),
            "life": new.life,
        }
        row = (await connection.execute(_INSERT, values)).one_or_none()
        await connection.execute(_TRIM, {"tenant": tenant, "principal": new.principal})
        return None if row is None else _to_sign_in(row)

    async def use(
        self, connection: AsyncConnection, tenant: UUID, principal: str, state: str
    ) -> SignIn | None:
        """Returns the sign-in that a state is for, this once."""
        values = {"tenant": tenant, "principal": principal, "state_digest": _digest(state)}
        row = (await connection.execute(_USE, values)).one_or_none()
        if row is None:
            return None
        bound = bindings.of_sign_in(tenant, row.connector, row.id)
        return _to_sign_in(row, self._envelope.open(bound, row.opened))

    async def end(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        identity: UUID,
        *,
        reason: str = "",
        message: str = "",
    ) -> SignIn | None:
        """Ends a sign-in, badly with a reason; None when its connector is gone."""
        values = {
            "tenant": tenant,
            "id": identity,
            "status": "FAILED" if reason else "DONE",
            "reason": reason,
            "message": message,
        }
        row = (await connection.execute(_END, values)).one_or_none()
        return None if row is None else _to_sign_in(row)

    async def get(
        self, connection: AsyncConnection, tenant: UUID, principal: str, identity: UUID
    ) -> SignIn | None:
        """Returns a sign-in that a principal began."""
        values = {"tenant": tenant, "principal": principal, "id": identity}
        row = (await connection.execute(_GET, values)).one_or_none()
        return None if row is None else _to_sign_in(row)

    async def client(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        connector: str,
        issuer: str,
        redirect_uri: str,
    ) -> str | None:
        """Returns the client that an issuer registered for a connector, as text."""
        values = _client_key(tenant, connector, issuer, redirect_uri)
        sealed = await connection.scalar(_CLIENT, values)
        bound = bindings.of_client(tenant, connector, issuer)
        return None if sealed is None else self._envelope.open(bound, sealed)

    async def keep_client(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        connector: str,
        issuer: str,
        redirect_uri: str,
        client: str,
    ) -> None:
        """Stores a client that an issuer registered."""
        bound = bindings.of_client(tenant, connector, issuer)
        sealed = self._envelope.seal(bound, client)
        values = {**_client_key(tenant, connector, issuer, redirect_uri), "client": sealed}
        await connection.execute(_KEEP_CLIENT, values)

    async def forget_clients(
        self, connection: AsyncConnection, tenant: UUID, connector: str, issuer: str = ""
    ) -> None:
        """Forgets the clients of a connector; with an issuer, that one's."""
        values = {"tenant": tenant, "connector": connector, "issuer": issuer}
        await connection.execute(_FORGET_CLIENTS, values)


def _digest(state: str) -> str:
    return sha256(state.encode()).hexdigest()


def _client_key(tenant: UUID, connector: str, issuer: str, redirect_uri: str) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "connector": connector,
        "issuer": issuer,
        "redirect_uri": redirect_uri,
    }


def _to_sign_in(row: Any, pending: str = "") -> SignIn:
    return SignIn(
        id=row.id,
        connector=row.connector,
        owner=row.owner,
        place=row.place,
        issuer=row.issuer,
        status="FAILED" if row.late else row.status,
        reason="EXPIRED" if row.late else row.reason,
        message="the browser did not come back in time" if row.late else row.message,
        expire_time=row.expires,
        pending=pending,
    )
