"""What may be done to keys of one's own."""

from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.errors import ConflictError, NotFoundError, check_etag
from turnpike.agent_runtime.models.endpoints import is_credential, is_endpoint
from turnpike.agent_runtime.models.scopes import Place
from turnpike.agent_runtime.provider_keys import store
from turnpike.agent_runtime.provider_keys.model import Mode, ProviderKey
from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError

_KEYLESS = frozenset({"scripted", "pool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A key as somebody wants it; `api_key` is None to keep the one that is stored."""

    place: Place
    key: ProviderKey
    api_key: str | None = field(repr=False)
    validate_only: bool


class ProviderKeys:
    """A suite's keys of one's own."""

    def __init__(self, engine: AsyncEngine, envelope: Envelope) -> None:
        self._engine = engine
        self._envelope = envelope

    async def create(self, wish: Wish) -> ProviderKey:
        """Stores a key.

        Raises:
            ConflictError: The name is taken.
            InvalidArgumentError: It could not work.
        """
        _check(wish)
        async with tenant_transaction(self._engine, wish.place.tenant) as connection:
            return await self._create(connection, wish)

    async def update(
        self, wish: Wish, *, etag: str, allow_missing: bool
    ) -> tuple[ProviderKey, str]:
        """Makes a key what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            NotFoundError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            ConflictError: It was created meanwhile.
            InvalidArgumentError: It could not work.
        """
        name = wish.key.name
        async with tenant_transaction(self._engine, wish.place.tenant) as connection:
            current = await store.lock_key(connection, wish.place, name)
            if current is None and (etag or not allow_missing):
                raise NotFoundError("provider_key", name)
            _check(wish)
            if current is None:
                return await self._create(connection, wish), "CREATED"
            check_etag(etag, current.etag)
            return await self._change(connection, wish, current)

    async def get(self, place: Place, name: str) -> ProviderKey:
        """Returns a key, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, place.tenant) as connection:
            key = await store.get_key(connection, place, name)
        if key is None:
            raise NotFoundError("provider_key", name)
        return key

    async def page(self, place: Place, *, after: tuple[str, int], limit: int) -> list[ProviderKey]:
        """Returns what a person sees, after a name and its rank."""
        async with tenant_transaction(self._engine, place.tenant) as connection:
            return await store.list_keys(connection, place, after=after, limit=limit)

    async def delete(self, place: Place, name: str, *, etag: str) -> None:
        """Deletes a key.

        Raises:
            NotFoundError: There is none.
            EtagMismatchError: It was changed meanwhile.
        """
        async with tenant_transaction(self._engine, place.tenant) as connection:
            current = await store.lock_key(connection, place, name)
            if current is None:
                raise NotFoundError("provider_key", name)
            check_etag(etag, current.etag)
            await store.delete_key(connection, place, name)

    async def mode(self, place: Place) -> Mode:
        """Returns whether keys of one's own are used."""
        async with tenant_transaction(self._engine, place.tenant) as connection:
            return await store.get_mode(connection, place)

    async def set_mode(
        self, place: Place, mode: str, *, etag: str, validate_only: bool
    ) -> tuple[Mode, str]:
        """Says whether keys of one's own are used; returns what that changed.

        Raises:
            EtagMismatchError: It was changed meanwhile.
        """
        async with tenant_transaction(self._engine, place.tenant) as connection:
            current = await store.get_mode(connection, place, lock=True)
            check_etag(etag, current.etag)
            if current.mode == mode:
                return current, "UNCHANGED"
            made = await store.set_mode(connection, place, mode)
            if validate_only:
                await connection.rollback()
        return made, "CHANGED" if current.mode else "CREATED"

    async def _create(self, connection: AsyncConnection, wish: Wish) -> ProviderKey:
        if not wish.api_key:
            raise InvalidArgumentError("provider_key.api_key", "is missing")
        made = await store.create_key(connection, wish.place, self._sealed(wish, wish.api_key))
        if made is None:
            raise ConflictError("provider_key", wish.key.name)
        if wish.validate_only:
            await connection.rollback()
        return made

    async def _change(
        self, connection: AsyncConnection, wish: Wish, current: ProviderKey
    ) -> tuple[ProviderKey, str]:
        same = current.means_the_same(wish.key)
        if wish.api_key is None and not same:
            # Who may change where it goes may not thereby read what it is.
            raise InvalidArgumentError(
                "provider_key.api_key", "is to be given again for another endpoint"
            )
        if same and (wish.api_key is None or wish.api_key == self._opened(wish, current)):
            return current, "UNCHANGED"
        made = await store.change_key(
            connection, wish.place, self._sealed(wish, wish.api_key or "")
        )
        if wish.validate_only:
            await connection.rollback()
        return made, "CHANGED"

    def _sealed(self, wish: Wish, api_key: str) -> ProviderKey:
        return replace(wish.key, sealed_api_key=self._envelope.seal(wish.place.tenant, api_key))

    def _opened(self, wish: Wish, current: ProviderKey) -> str | None:
        try:
            return self._envelope.open(wish.place.tenant, current.sealed_api_key)
        except SealBrokenError:
            # What sealed it is gone: whatever comes in its place is another.
            return None


def _check(wish: Wish) -> None:
    key = wish.key
    if key.provider in _KEYLESS:
        raise InvalidArgumentError("provider_key.provider", "takes no key")
    if key.base_url and not is_endpoint(key.base_url):
        raise InvalidArgumentError(
            "provider_key.base_url",
            "is no http(s) URL, or has a user, a fragment or a space in it",
        )
    if wish.api_key is not None and not (wish.api_key and is_credential(wish.api_key)):
        raise InvalidArgumentError(
            "provider_key.api_key",
            "is no credential: printable ASCII, and no reference to be resolved",
        )
