"""Creating, changing and deleting connectors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.egress.addresses import AddressRefusedError, check_address
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.model import (
    Change,
    Connector,
    ConnectorNotFoundError,
    Endpoint,
    EtagMismatchError,
    Transport,
)

_HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
_HEADER_VALUE = re.compile(r"^[\x20-\x7e\x80-\xff\t]*$")
_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
# The protocol's own, and those that frame a message.
_OWN_HEADERS = frozenset(
    {
        "accept",
        "connection",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows."""

    stdio_commands: tuple[tuple[str, ...], ...]
    allow_private: bool


class Administration:
    """The connectors of every tenant, as admins change them."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        connectors: Connectors,
        discoveries: Discoveries,
        rules: Rules,
    ) -> None:
        self._engine = engine
        self._connectors = connectors
        self._discoveries = discoveries
        self._rules = rules

    async def create(
        self, tenant: UUID, name: str, endpoint: Endpoint, *, validate_only: bool
    ) -> Connector:
        """Creates a connector and has its tools discovered in the background.

        Raises:
            ConnectorExistsError: The name is taken.
            InvalidArgumentError: It is not one that can be, or that is allowed.
        """
        endpoint = self._checked(_with_kept_secrets(endpoint, None))
        async with tenant_transaction(self._engine, tenant) as connection:
            created = await self._connectors.create(connection, tenant, name, endpoint)
            if validate_only:
                await connection.rollback()
                return created
        self._discoveries.start(tenant, name)
        return created

    async def get(self, tenant: UUID, name: str) -> Connector:
        """Returns a connector, or raises `ConnectorNotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return (await self._connectors.get(connection, tenant, name)).connector

    async def page(self, tenant: UUID, *, after: str, limit: int) -> list[Connector]:
        """Returns connectors by name, from behind `after` on."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await self._connectors.page(connection, tenant, after=after, limit=limit)

    async def update(
        self,
        tenant: UUID,
        name: str,
        endpoint: Endpoint,
        *,
        etag: str,
        allow_missing: bool,
        validate_only: bool,
    ) -> tuple[Connector, Change]:
        """Makes a connector what the caller says; a change evicts its tools at once.

        Raises:
            ConnectorNotFoundError: There is none, and `allow_missing` is not set.
            EtagMismatchError: It was changed since the caller read it.
            InvalidArgumentError: It is not one that can be, or that is allowed.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            try:
                stored = await self._connectors.lock(connection, tenant, name)
            except ConnectorNotFoundError:
                if not allow_missing or etag:
                    raise
                stored = None
            if stored is None:
                endpoint = self._checked(_with_kept_secrets(endpoint, None))
                change = Change.CREATED
                connector = await self._connectors.create(connection, tenant, name, endpoint)
            else:
                _require_etag(stored.connector, etag)
                endpoint = self._checked(_with_kept_secrets(endpoint, stored.endpoint))
                if endpoint == stored.endpoint:
                    return stored.connector, Change.UNCHANGED
                change = Change.CHANGED
                connector = await self._connectors.replace(connection, tenant, name, endpoint)
            if validate_only:
                await connection.rollback()
                return connector, change
        self._discoveries.start(tenant, name)
        return connector, change

    async def delete(self, tenant: UUID, name: str, *, etag: str) -> None:
        """Deletes a connector and its tools.

        Raises:
            ConnectorNotFoundError: There is none.
            EtagMismatchError: It was changed since the caller read it.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            stored = await self._connectors.lock(connection, tenant, name)
            _require_etag(stored.connector, etag)
            await self._connectors.delete(connection, tenant, name)

    def _checked(self, endpoint: Endpoint) -> Endpoint:
        if endpoint.transport is Transport.STDIO:
            self._check_stdio(endpoint)
        else:
            self._check_http(endpoint)
        return endpoint

    def _check_stdio(self, endpoint: Endpoint) -> None:
        if not endpoint.command:
            raise InvalidArgumentError("connector.command", "a stdio connector needs a command")
        if endpoint.command not in self._rules.stdio_commands:
            raise InvalidArgumentError(
                "connector.command", "the operator does not allow this command"
            )
        _refuse(endpoint.url, "connector.url", "a stdio connector has none")
        _refuse(endpoint.headers, "connector.headers", "a stdio connector has none")
        for name in endpoint.env:
            if not _ENV_NAME.fullmatch(name):
                raise InvalidArgumentError("connector.env", f"{name!r} is no variable's name")

    def _check_http(self, endpoint: Endpoint) -> None:
        _refuse(endpoint.command, "connector.command", "an HTTP connector has none")
        _refuse(endpoint.env, "connector.env", "an HTTP connector has none")
        _check_url(endpoint.url, allow_private=self._rules.allow_private)
        for name, value in endpoint.headers.items():
            if not _HEADER_NAME.fullmatch(name) or _is_own(name):
                raise InvalidArgumentError("connector.headers", f"{name!r} cannot be set")
            if not _HEADER_VALUE.fullmatch(value):
                raise InvalidArgumentError(
                    "connector.headers", f"the value of {name!r} has a character that no header has"
                )


def _with_kept_secrets(endpoint: Endpoint, old: Endpoint | None) -> Endpoint:
    """Fills in what an update leaves empty to keep it."""
    return replace(
        endpoint,
        headers=_kept("connector.headers", endpoint.headers, old.headers if old else {}),
        env=_kept("connector.env", endpoint.env, old.env if old else {}),
    )


def _kept(field: str, given: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not value and name not in old:
            raise InvalidArgumentError(field, f"{name!r} has no value, and none to keep")
    return {name: value or old[name] for name, value in given.items()}


def _require_etag(connector: Connector, etag: str) -> None:
    if etag and etag != connector.etag:
        raise EtagMismatchError(connector.etag)


def _refuse(value: object, field: str, message: str) -> None:
    if value:
        raise InvalidArgumentError(field, message)


def _is_own(name: str) -> bool:
    lower = name.lower()
    return lower in _OWN_HEADERS or lower.startswith("mcp-")


def _check_url(url: str, *, allow_private: bool) -> None:
    field = "connector.url"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidArgumentError(field, f"is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidArgumentError(field, "must be an absolute http or https URL")
    if parts.username or parts.password or parts.fragment:
        raise InvalidArgumentError(field, "must not hold credentials or a fragment; use headers")
    try:
        check_address(host, allow_private=allow_private)
    except AddressRefusedError as error:
        raise InvalidArgumentError(field, str(error.strerror)) from error
    except ValueError:
        return  # A name: it is judged when it is connected to, by what it resolves to.
