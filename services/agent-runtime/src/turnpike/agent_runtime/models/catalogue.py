"""What may be done to model configurations."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.errors import (
    ConflictError,
    InUseError,
    NotFoundError,
    check_etag,
)
from turnpike.agent_runtime.models import store
from turnpike.agent_runtime.models.clients import OPENAI
from turnpike.agent_runtime.models.endpoints import is_credential, is_endpoint
from turnpike.agent_runtime.models.providers_table import PROVIDERS
from turnpike.agent_runtime.models.scopes import NOBODY, TENANT, Place
from turnpike.agent_runtime.models.scripted import PROVIDER as SCRIPTED
from turnpike.agent_runtime.models.store import POOL, ModelConfig
from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError

_KNOWN = PROVIDERS | {OPENAI, SCRIPTED, POOL}
_REGION = re.compile(r"[A-Za-z0-9-]{0,63}")
_ONE_PLANNER = "models_one_planner"
_ONLY_CHAT = "pool_members_chat"

UserOfModel = Callable[[AsyncConnection, str], Awaitable[str | None]]
"""Returns the name of an agent that uses a model of the transaction's tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A model as somebody wants it; `api_key` is None to keep the one that is stored."""

    place: Place
    config: ModelConfig
    api_key: str | None
    validate_only: bool

    @property
    def tenant(self) -> UUID:
        """The tenant that it is kept in."""
        return self.place.tenant


class ModelCatalogue:
    """A suite's model configurations."""

    def __init__(self, engine: AsyncEngine, envelope: Envelope, user_of_model: UserOfModel) -> None:
        self._engine = engine
        self._envelope = envelope
        self._user_of_model = user_of_model

    async def create(self, wish: Wish) -> ModelConfig:
        """Creates a model.

        Raises:
            ConflictError: The name is taken, or the scope has a planner.
            InvalidArgumentError: It could not work.
        """
        _check(wish)
        try:
            async with tenant_transaction(self._engine, wish.tenant) as connection:
                return await self._create(connection, wish)
        except IntegrityError as error:
            raise _refused(error, wish) from error

    async def update(
        self, wish: Wish, *, etag: str, allow_missing: bool
    ) -> tuple[ModelConfig, str]:
        """Makes a model what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            NotFoundError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            ConflictError: The scope has another planner.
            InUseError: A pool needs it as it is.
            InvalidArgumentError: It could not work.
        """
        try:
            async with tenant_transaction(self._engine, wish.tenant) as connection:
                current = await store.lock_model(connection, wish.place, wish.config.name)
                if current is None and (etag or not allow_missing):
                    raise NotFoundError("model", wish.config.name)
                _check(wish)
                if current is None:
                    return await self._create(connection, wish), "CREATED"
                check_etag(etag, current.etag)
                return await self._change(connection, wish, current)
        except IntegrityError as error:
            raise _refused(error, wish) from error

    async def get(self, place: Place, name: str) -> ModelConfig:
        """Returns the model that a person means, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, place.tenant) as connection:
            config = await store.nearest_model(connection, place, name, place.scope)
        if config is None:
            raise NotFoundError("model", name)
        return config

    async def page(self, place: Place, *, after: tuple[str, int], limit: int) -> list[ModelConfig]:
        """Returns what a person sees, after a name and its rank."""
        async with tenant_transaction(self._engine, place.tenant) as connection:
            return await store.list_models(connection, place, after=after, limit=limit)

    async def delete(self, place: Place, name: str, *, etag: str) -> None:
        """Deletes a model.

        Raises:
            NotFoundError: There is none.
            EtagMismatchError: It was changed meanwhile.
            InUseError: An agent's active version or a pool names it.
        """
        try:
            async with tenant_transaction(self._engine, place.tenant) as connection:
                current = await store.lock_model(connection, place, name)
                if current is None:
                    raise NotFoundError("model", name)
                check_etag(etag, current.etag)
                await self._check_unused(connection, place, name)
                await store.delete_model(connection, place, name)
        except IntegrityError as error:
            # Put into a pool, perhaps another tenant's, between the look and the deletion.
            raise InUseError(f"model {name!r}", "pool", "") from error

    async def _check_unused(self, connection: AsyncConnection, place: Place, name: str) -> None:
        if pool := await store.pool_of(connection, place, name):
            raise InUseError(f"model {name!r}", "pool", pool)
        if place.owner == NOBODY and (user := await self._user_of_model(connection, name)):
            raise InUseError(f"model {name!r}", "agent", user)

    async def _create(self, connection: AsyncConnection, wish: Wish) -> ModelConfig:
        if not await store.create_model(connection, wish.place, self._sealed(wish, None)):
            raise ConflictError("model", wish.config.name)
        return await self._made(connection, wish)

    async def _change(
        self, connection: AsyncConnection, wish: Wish, current: ModelConfig
    ) -> tuple[ModelConfig, str]:
        if current.means_the_same(wish.config) and self._same_key(wish, current):
            return current, "UNCHANGED"
        if wish.api_key is None and current.sealed_api_key and not current.is_where(wish.config):
            # Who may change where it goes may not thereby read what it is.
            raise InvalidArgumentError("model.api_key", "is to be given again for another endpoint")
        await store.change_model(connection, wish.place, self._sealed(wish, current))
        return await self._made(connection, wish), "CHANGED"

    async def _made(self, connection: AsyncConnection, wish: Wish) -> ModelConfig:
        if wrong := await store.set_members(connection, wish.place, wish.config):
            raise InvalidArgumentError(
                "model.members",
                f"there is no chat model {wrong!r} in the pool's scope or the platform's",
            )
        config = await store.get_model(connection, wish.place, wish.config.name)
        if config is None:
            raise NotFoundError("model", wish.config.name)
        if wish.validate_only:
            await connection.rollback()
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
    await store.create_model(connection, Place(tenant, NOBODY, TENANT), config)


def _refused(error: IntegrityError, wish: Wish) -> Exception:
    name = wish.config.name
    if _ONE_PLANNER in str(error.orig):
        return ConflictError("planner", name)
    if _ONLY_CHAT in str(error.orig):
        return InUseError(f"chat model {name!r}", "pool", "")
    return error


def _check(wish: Wish) -> None:
    config = wish.config
    if config.provider not in _KNOWN:
        raise InvalidArgumentError(
            "model.provider",
            f"there is no provider {config.provider!r}: `openai` is for every endpoint that"
            " speaks its wire format",
        )
    if config.provider == POOL:
        _check_pool(wish)
    elif config.members:
        raise InvalidArgumentError("model.members", "only a pool has members")
    else:
        _check_name(config)
    if config.base_url and not is_endpoint(config.base_url):
        raise InvalidArgumentError(
            "model.base_url", "is no http(s) URL, or has a user, a fragment or a space in it"
        )
    if not _REGION.fullmatch(dict(config.options).get("region", "")):
        # It becomes part of a host's name.
        raise InvalidArgumentError("model.options", "the region is no name of one")
    if not is_credential(wish.api_key or ""):
        raise InvalidArgumentError(
            "model.api_key", "is no credential: printable ASCII, and no reference to be resolved"
        )


def _check_name(config: ModelConfig) -> None:
    if not config.model:
        raise InvalidArgumentError("model.model", "is missing")
    if config.provider != OPENAI and config.model.startswith(("http://", "https://")):
        # To some providers it would be where to go, and take a key along.
        raise InvalidArgumentError("model.model", "is an address, which goes in base_url")


def _check_pool(wish: Wish) -> None:
    config = wish.config
    names = [member.model for member in config.members]
    if not names:
        raise InvalidArgumentError("model.members", "a pool has members")
    if len(set(names)) < len(names):
        raise InvalidArgumentError("model.members", "names a model twice")
    if config.role != "chat":
        raise InvalidArgumentError("model.role", "a pool is for chat")
    if config.model or config.base_url or wish.api_key:
        raise InvalidArgumentError(
            "model.provider", "a pool has no model, base_url or api_key of its own"
        )
