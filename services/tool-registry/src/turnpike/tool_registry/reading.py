"""Reading what connectors' servers have beside tools, in a principal's name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import SealBrokenError
from turnpike.rpc.errors import DeadlineExceededError
from turnpike.tool_registry.access import Access
from turnpike.tool_registry.connectors import StoredConnector
from turnpike.tool_registry.errors import (
    ConnectorNotFoundError,
    ConnectorUnusableError,
    CredentialMissingError,
    ResourceNotFoundError,
    ResourceRefusedError,
    ResourcesUnsupportedError,
    ResourceTooLargeError,
    VariableUnusableError,
)
from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.pool import Key, Links
from turnpike.tool_registry.model import Fault
from turnpike.tool_registry.resources import Part, Shelf, fetch_resources, to_parts
from turnpike.tool_registry.veils import Veil

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

T = TypeVar("T")

_LIST_SECONDS = 75.0
_TRIES = 2
_METHOD_NOT_FOUND = -32601
# What servers say of a resource that there is not: in older protocols, and newer ones.
_NO_RESOURCE = frozenset({-32002, -32602})


class Reading:
    """Reads resources through the links that calls go through."""

    def __init__(self, access: Access, links: Links) -> None:
        self._access = access
        self._links = links

    async def list_all(self, tenant: UUID, principal: str, connector: str) -> Shelf:
        """Returns a server's resources; raises as `ListResources` says."""
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                return await self._asked(tenant, principal, connector, _listed)
        except TimeoutError:
            message = "the server took too long to list its resources"
            raise ConnectorUnusableError(connector, Fault.TIMEOUT.value, message) from None

    async def read(
        self,
        tenant: UUID,
        principal: str,
        connector: str,
        uri: str,
        *,
        max_bytes: int,
        seconds: float,
    ) -> list[Part]:
        """Returns what a resource has in it; raises as `ReadResource` says."""

        async def read(link: "Link", veil: Veil) -> list[Part]:
            answer = await link.read_resource(uri)
            return await asyncio.to_thread(to_parts, uri, answer, max_bytes, veil)

        try:
            async with asyncio.timeout(seconds):
                return await self._asked(tenant, principal, connector, read, uri)
        except TimeoutError:
            raise DeadlineExceededError(f"the server took more than {seconds:g} s") from None

    async def _asked(
        self,
        tenant: UUID,
        principal: str,
        connector: str,
        ask: "Callable[[Link, Veil], Awaitable[T]]",
        uri: str = "",
    ) -> T:
        try:
            stored = await self._stored(tenant, principal, connector)
            try:
                return await self._sent(tenant, connector, stored, ask)
            except faults.LinkError as error:
                if error.fault is not Fault.AUTH_NEEDED:
                    raise
                if not await self._access.is_renewed(tenant, connector, stored.loan):
                    raise
            stored = await self._stored(tenant, principal, connector)
            return await self._sent(tenant, connector, stored, ask)
        except faults.LinkError as error:
            raise _refusal(connector, uri, error) from error
        except (CredentialMissingError, SealBrokenError) as error:
            message = f"{connector!r} needs a credential of the principal's own"
            raise ConnectorUnusableError(connector, Fault.CREDENTIAL.value, message) from error
        except VariableUnusableError as error:
            raise ConnectorUnusableError(connector, Fault.VARIABLE.value, str(error)) from error

    async def _stored(self, tenant: UUID, principal: str, connector: str) -> StoredConnector:
        stored = await self._access.for_call(tenant, connector, principal, _nothing_else)
        if stored.spec.owner not in ("", principal) or not stored.spec.enabled:
            raise ConnectorNotFoundError(connector)
        return stored

    async def _sent(
        self,
        tenant: UUID,
        connector: str,
        stored: StoredConnector,
        ask: "Callable[[Link, Veil], Awaitable[T]]",
    ) -> T:
        key = Key(tenant, connector, stored.connector.etag, stored.credential)
        for tries in range(1, _TRIES + 1):
            try:
                async with self._links.using(key, stored.endpoint) as link:
                    if not link.has_resources:
                        raise ResourcesUnsupportedError(connector)
                    return await ask(link, stored.veil)
            except (faults.SessionEndedError, faults.LostError) as error:
                # A read has no effect: it may be sent again.
                self._links.retire(key)
                if tries == _TRIES:
                    stored.veil.over_error(error)
                    raise
            except faults.LinkError as error:
                stored.veil.over_error(error)
                raise
        raise AssertionError


async def _listed(link: "Link", _veil: Veil) -> Shelf:
    return await fetch_resources(link)


async def _nothing_else(_connection: AsyncConnection) -> None:
    return


def _refusal(connector: str, uri: str, error: faults.LinkError) -> Exception:
    message = "".join(c if c.isprintable() else " " for c in str(error)[:500])
    was_answered = isinstance(error, faults.RefusedError | faults.AnsweredWithError)
    code = error.code if was_answered else 0
    if code == _METHOD_NOT_FOUND:
        return ResourcesUnsupportedError(connector)
    if uri and error.fault is Fault.TOO_LARGE:
        return ResourceTooLargeError(uri)
    if uri and code in _NO_RESOURCE:
        return ResourceNotFoundError(uri)
    # What was answered amiss for one resource says nothing of the others.
    if uri and (isinstance(error, faults.AnsweredWithError) or type(error) is faults.LinkError):
        return ResourceRefusedError(uri, message)
    return ConnectorUnusableError(connector, error.fault.value or "SERVER_ERROR", message)
