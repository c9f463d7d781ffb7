"""What may be done to model configurations."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.errors import (
    ConflictError,
    EtagMismatchError,
    InUseError,
    NotFoundError,
)
from turnpike.agent_runtime.models import store
from turnpike.agent_runtime.models.scripted import PROVIDER as SCRIPTED
from turnpike.agent_runtime.models.store import ModelConfig
from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError

_REFERENCES = ("env:", "file:", "os.environ/", "oidc/")

UserOfModel = Callable[[AsyncConnection, str], Awaitable[str | None]]
"""Returns the name of an agent that uses a model of the transaction's tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A model as somebody wants it; `api_key` is None to keep the one that is stored."""

    tenant: UUID
    config: ModelConfig
    api_key: str | None
    validate_only: bool


class ModelCatalogue:
    """A suite's model configurations."""

    def __init__(self, engine: AsyncEngine, envelope: Envelope, user_of_model: UserOfModel) -> None:
        self._engine = engine
        self._envelope = envelope
        self._user_of_model = user_of_model

    async def create(self, wish: Wish) -> ModelConfig:
        """Creates a model.

        Raises:
            ConflictError: The name is taken.
            InvalidArgumentError: It could not work.
        """
        _check(wish)
        async with tenant_transaction(self._engine, wish.tenant) as connection:
            return await self._create(connection, wish)

    async def update(
        self, wish: Wish, *, etag: str, allow_missing: bool
    ) -> tuple[ModelConfig, str]:
        """Makes a model what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            NotFoundError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            InvalidArgumentError: It could not work.
        """
        _check(wish)
        async with tenant_transaction(self._engine, wish.tenant) as connection:
            current = await store.lock_model(connection, wish.config.name)
            if current is None:
                if not allow_missing or etag:
                    raise NotFoundError("model", wish.config.name)
                return await self._create(connection, wish), "CREATED"
            if etag and etag != current.etag:
                raise EtagMismatchError(current.etag)
            if current.means_the_same(wish.config) and self._same_key(wish, current):
                return current, "UNCHANGED"
            await store.change_model(connection, self._sealed(wish, current))
            return await self._made(connection, wish), "CHANGED"

    async def get(self, tenant: UUID, name: str) -> ModelConfig:
        """Returns a model, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await self._existing(connection, name)

    async def page(self, tenant: UUID, *, after: str, limit: int) -> list[ModelConfig]:
        """Returns models whose names come after `after`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.list_models(connection, after=after, limit=limit)

    async def delete(self, tenant: UUID, name: str, *, etag: str) -> None:
        """Deletes a model.

        Raises:
            NotFoundError: There is none.
            EtagMismatchError: It was changed meanwhile.
            InUseError: An agent's active version names it.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            current = await store.lock_model(connection, name)
            if current is None:
                raise NotFoundError("model", name)
            if etag and etag != current.etag:
                raise EtagMismatchError(current.etag)
            user = await self._user_of_model(connection, name)
            if user is not None:
                raise InUseError(f"model {name!r}", "agent", user)
            await store.delete_model(connection, name)

    async def _create(self, connection: AsyncConnection, wish: Wish) -> ModelConfig:
        if not await store.create_model(connection, wish.tenant, self._sealed(wish, None)):
            raise ConflictError("model", wish.config.name)
        return await self._made(connection, wish)

    async def _made(self, connection: AsyncConnection, wish: Wish) -> ModelConfig:
        config = await self._existing(connection, wish.config.name)
        if wish.validate_only:
            await connection.rollback()
        return config

    async def _existing(self, connection: AsyncConnection, name: str) -> ModelConfig:
        config = await store.get_model(connection, name)
        if config is None:
            raise NotFoundError("model", name)
        return config

    def _sealed(self, wish: Wish, current: ModelConfig | None) -> ModelConfig:
        if wish.api_key is None:
            sealed = current.sealed_api_key if current else ""
        else:
            sealed = self._envelope.seal(wish.tenant, wish.api_key) if wish.api_key else ""
        return replace(wish.config, sealed_api_key=sealed)

    def _same_key(self, wish: Wish, current: ModelConfig) -> bool:
        if wish.api_key is None:
            return True
        sealed = current.sealed_api_key
        try:
            return wish.api_key == (self._envelope.open(wish.tenant, sealed) if sealed else "")
        except SealBrokenError:
            # What sealed it is gone: whatever comes in its place is another.
            return False


async def create_scripted_model(connection: AsyncConnection, tenant: UUID, name: str) -> None:
    """Stores the built-in model under a name, unless that is taken."""
    config = ModelConfig(
        name=name,
        provider=SCRIPTED,
        model="built-in",
        base_url="",
        sealed_api_key="",
        role="chat",
        prices=None,
    )
    await store.create_model(connection, tenant, config)


def _check(wish: Wish) -> None:
    if wish.config.base_url and not _is_endpoint(wish.config.base_url):
        raise InvalidArgumentError(
            "model.base_url", "is no http(s) URL, or has a user, a fragment or a space in it"
        )
    if not _is_credential(wish.api_key or ""):
        raise InvalidArgumentError(
            "model.api_key", "is no credential: printable ASCII, and no reference to be resolved"
        )


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and not (parts.username or parts.password or parts.fragment)
        and url.isprintable()
        and " " not in url
    )


def _is_credential(key: str) -> bool:
    # It becomes a header. References are resolved by the command line, where
    # the operator is; a service, or a library in it, would read its own
    # environment and files for whoever asks.
    return key.isascii() and key.isprintable() and not key.startswith(_REFERENCES)
