"""Persons who sign in to connectors, as they begin and as they come back."""

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.tool_registry import metrics
from turnpike.tool_registry.connectors import Connectors, StoredConnector
from turnpike.tool_registry.credentials import SHARED, Credentials
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import (
    ConnectorNotFoundError,
    SignInImpossibleError,
    SignInInvalidError,
    SignInNotFoundError,
)
from turnpike.tool_registry.model import Transport
from turnpike.tool_registry.oauth.grants import Client
from turnpike.tool_registry.oauth.refusals import Cause, GrantRefusedError, OAuthError
from turnpike.tool_registry.ownership import Who
from turnpike.tool_registry.persistence import persistently
from turnpike.tool_registry.renewals import secret_of
from turnpike.tool_registry.sign_ins import NewSignIn, SignIn, SignIns

if TYPE_CHECKING:
    from turnpike.tool_registry.oauth.flow import Asked, Wish

logger = logging.getLogger(__name__)

LIFE = timedelta(minutes=10)
"""How long a person has for an authorization server's pages."""


class SigningIn:
    """The sign-ins of every tenant."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        connectors: Connectors,
        credentials: Credentials,
        sign_ins: SignIns,
        discoveries: Discoveries,
        tasks: asyncio.TaskGroup,
        clients: Mapping[str, Client],
        redirects: Collection[str],
        allow_private: bool,
    ) -> None:
        self._engine = engine
        self._connectors = connectors
        self._credentials = credentials
        self._sign_ins = sign_ins
        self._discoveries = discoveries
        self._tasks = tasks
        self._clients = {issuer.rstrip("/"): client for issuer, client in clients.items()}
        self._redirects = frozenset(redirects)
        self._allow_private = allow_private

    async def start(
        self,
        tenant: UUID,
        who: Who,
        connector: str,
        *,
        shared: bool,
        redirect_uri: str,
        client_metadata_url: str,
        state: str,
    ) -> tuple[SignIn, str]:
        """Begins a sign-in; returns it, and where to send the person's browser.

        Raises:
            ConnectorNotFoundError: There is none, or it is another person's.
            ForbiddenError: The shared credential is not this one's to give.
            InvalidArgumentError: The connector takes no shared credential, the state was used
                before, or the operator lets no browser come back there.
            SignInImpossibleError: See there.
        """
        if self._redirects and redirect_uri not in self._redirects:
            raise InvalidArgumentError("redirect_uri", "the operator does not allow this page")
        stored, scope = await self._wanted(tenant, who, connector, shared=shared)
        flow = await _flow()
        wish: Wish = flow.Wish(
            url=stored.endpoint.url,
            headers=stored.endpoint.headers,
            scope=scope,
            redirect_uri=redirect_uri,
            client_metadata_url=client_metadata_url,
            state=state,
        )
        try:
            asked = await self._asked(tenant, connector, flow, wish)
            new = NewSignIn(
                connector=connector,
                principal=who.principal,
                owner=SHARED if shared else who.principal,
                place=_place(stored),
                issuer=asked.issuer,
                state=state,
                pending=asked.pending,
                life=LIFE,
            )
            async with tenant_transaction(self._engine, tenant) as connection:
                sign_in = await self._sign_ins.begin(connection, tenant, new)
        except OAuthError as error:
            raise SignInImpossibleError(connector, error.cause.value, str(error)) from error
        except IntegrityError as error:
            # It was deleted meanwhile.
            raise ConnectorNotFoundError(connector) from error
        if sign_in is None:
            raise InvalidArgumentError("state", "was used before")
        return sign_in, asked.authorization_url

    async def finish(
        self, tenant: UUID, who: Who, *, state: str, code: str, issuer: str, error: str
    ) -> SignIn:
        """Ends a sign-in with what the browser brought, and returns it as it ended.

        Raises:
            SignInInvalidError: The state is not this one's to use, or not any more.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            sign_in = await self._sign_ins.use(connection, tenant, who.principal, state)
        if sign_in is None:
            raise SignInInvalidError
        # A code is good once: whoever hangs up now must not lose what it brings.
        ending = self._own(tenant, who, sign_in, code=code, issuer=issuer, error=error)
        ended = await asyncio.shield(self._tasks.create_task(_outcome(ending), name="sign-in"))
        if isinstance(ended, Exception):
            raise ended
        return ended

    async def get(self, tenant: UUID, who: Who, identity: UUID) -> SignIn:
        """Returns a sign-in that this one began, or raises `SignInNotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            sign_in = await self._sign_ins.get(connection, tenant, who.principal, identity)
        if sign_in is None:
            raise SignInNotFoundError(str(identity))
        return sign_in

    async def _wanted(
        self, tenant: UUID, who: Who, connector: str, *, shared: bool
    ) -> tuple[StoredConnector, str]:
        """Returns the connector, and the scope that is to be asked for anew."""
        async with tenant_transaction(self._engine, tenant) as connection:
            stored = await self._connectors.get(connection, tenant, connector)
            owner = SHARED if shared else who.principal
            scope = await self._credentials.scope_of(connection, tenant, connector, owner)
        if not who.sees(stored.spec.owner):
            raise ConnectorNotFoundError(connector)
        if shared:
            who.require(stored.spec.owner)
        if shared and stored.spec.personal:
            raise InvalidArgumentError("shared", "each call needs its requester's own credential")
        if stored.endpoint.transport is Transport.STDIO:
            raise SignInImpossibleError(connector, Cause.NOT_HTTP, "a stdio connector has none")
        return stored, scope

    async def _asked(self, tenant: UUID, connector: str, flow: Any, wish: "Wish") -> "Asked":
        async def find(issuer: str) -> str | None:
            async with tenant_transaction(self._engine, tenant) as connection:
                return await self._sign_ins.client(
                    connection, tenant, connector, issuer, wish.redirect_uri
                )

        async def keep(issuer: str, client: str) -> None:
            async with tenant_transaction(self._engine, tenant) as connection:
                await self._sign_ins.keep_client(
                    connection, tenant, connector, issuer, wish.redirect_uri, client
                )

        async with flow.open_web(allow_private=self._allow_private) as web:
            registry = flow.Registry(given=self._clients, find=find, keep=keep)
            return await flow.begin(web, wish, registry)

    async def _own(
        self, tenant: UUID, who: Who, sign_in: SignIn, *, code: str, issuer: str, error: str
    ) -> SignIn:
        flow = await _flow()
        try:
            async with flow.open_web(allow_private=self._allow_private) as web:
                redeemed = await flow.redeem(
                    web, sign_in.pending, code=code, issuer=issuer, error=error
                )
            # A code is good once: what it brought is not lost because Postgres is away.
            ended = await persistently(lambda: self._store(tenant, who, sign_in, *redeemed))
        except OAuthError as refused:
            refusal = refused
            ended = await persistently(lambda: self._fail(tenant, sign_in, refusal))
        else:
            # What was refused without it may be let in with it.
            self._discoveries.note_change(tenant, sign_in.connector)
        metrics.SIGN_INS.labels(ended.reason or "DONE").inc()
        return ended

    async def _store(
        self, tenant: UUID, who: Who, sign_in: SignIn, grant: Any, tokens: Any, revocation: str
    ) -> SignIn:
        headers, renewable = secret_of(grant, tokens)
        renewable = replace(renewable, revocation=revocation)
        name = sign_in.connector
        async with tenant_transaction(self._engine, tenant) as connection:
            try:
                stored = await self._connectors.lock(connection, tenant, name)
            except ConnectorNotFoundError as error:
                raise _changed() from error
            standing = await self._sign_ins.get(connection, tenant, who.principal, sign_in.id)
            if standing is not None and standing.status == "DONE":
                # The reply to a commit was lost.
                return standing
            # It was given for one server: no other sees it.
            if _place(stored) != sign_in.place or not who.sees(stored.spec.owner):
                raise _changed()
            await self._credentials.put(connection, tenant, name, sign_in.owner, headers, renewable)
            ended = await self._sign_ins.end(connection, tenant, sign_in.id)
        if ended is None:
            raise _changed()
        return ended

    async def _fail(self, tenant: UUID, sign_in: SignIn, refusal: OAuthError) -> SignIn:
        cause, message = refusal.cause.value, str(refusal)
        async with tenant_transaction(self._engine, tenant) as connection:
            # First the sign-in, then the clients: in this order a connector's deletion takes both.
            ended = await self._sign_ins.end(
                connection, tenant, sign_in.id, reason=cause, message=message
            )
            if isinstance(refusal, GrantRefusedError) and refusal.is_of_client:
                # The server has forgotten it: the next sign-in registers another.
                await self._sign_ins.forget_clients(
                    connection, tenant, sign_in.connector, sign_in.issuer
                )
        if ended is None:
            raise SignInInvalidError
        return ended


async def _outcome(ending: Awaitable[SignIn]) -> SignIn | Exception:
    # It is its caller's to raise: raised by one of this process's own tasks, it would end them all.
    try:
        return await ending
    except Exception as error:  # noqa: BLE001 # whatever it is
        return error


async def _flow() -> Any:
    # In a thread, and not before somebody signs in: it imports the SDK.
    return await asyncio.to_thread(importlib.import_module, "turnpike.tool_registry.oauth.flow")


def _place(stored: StoredConnector) -> str:
    return f"{stored.endpoint.transport.value} {stored.endpoint.url}"


def _changed() -> OAuthError:
    return OAuthError(Cause.CONNECTOR_CHANGED, "the connector is another by now, or gone")
