"""Keys of one's own, in Postgres."""

from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.models.scopes import NOBODY, Place
from turnpike.agent_runtime.provider_keys.model import UNSAID, Mode, ProviderKey

_COLUMNS = "name, scope, provider, base_url, sealed_api_key, etag, created, updated"
_RANK = "CASE scope WHEN 'PERSON' THEN 1 ELSE 2 END"
_THIS = "tenant = :tenant AND principal = :owner AND name = :name"
_SELECT = f"SELECT {_COLUMNS} FROM provider_keys"  # noqa: S608 # constants
_GET = text(f"{_SELECT} WHERE {_THIS}")
_LOCK = text(f"{_SELECT} WHERE {_THIS} FOR UPDATE")
_LIST = text(
    f"{_SELECT} WHERE tenant = :tenant AND principal IN (:principal, :nobody)"
    f" AND (name, {_RANK}) > (:after, CAST(:rank AS integer)) ORDER BY name, {_RANK} LIMIT :limit"
)
_INSERT = text(
    "INSERT INTO provider_keys (tenant, principal, name, scope, provider, base_url,"  # noqa: S608 # constants
    " sealed_api_key, etag) VALUES (:tenant, :owner, :name, :scope, :provider, :base_url,"
    f" :sealed_api_key, :etag) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}"
)
_UPDATE = text(
    "UPDATE provider_keys SET provider = :provider, base_url = :base_url,"  # noqa: S608 # constants
    " sealed_api_key = :sealed_api_key, etag = :etag, updated = statement_timestamp()"
    f" WHERE {_THIS} RETURNING {_COLUMNS}"
)
_DELETE = text(f"DELETE FROM provider_keys WHERE {_THIS}")  # noqa: S608 # a constant
_MODE = text(
    "SELECT mode, etag, updated FROM key_modes WHERE tenant = :tenant AND principal = :owner"
)
_LOCK_MODE = text(f"{_MODE.text} FOR UPDATE")
_SET_MODE = text(
    "INSERT INTO key_modes (tenant, principal, mode, etag)"
    " VALUES (:tenant, :owner, :mode, :etag)"
    " ON CONFLICT (tenant, principal) DO UPDATE SET mode = :mode, etag = :etag,"
    " updated = statement_timestamp() RETURNING mode, etag, updated"
)


async def get_key(connection: AsyncConnection, place: Place, name: str) -> ProviderKey | None:
    """Returns the key of that name in that very place."""
    row = (await connection.execute(_GET, _key(place, name))).one_or_none()
    return _provider_key(row) if row else None


async def lock_key(connection: AsyncConnection, place: Place, name: str) -> ProviderKey | None:
    """Returns the key, and keeps everybody else from changing it."""
    row = (await connection.execute(_LOCK, _key(place, name))).one_or_none()
    return _provider_key(row) if row else None


async def list_keys(
    connection: AsyncConnection, place: Place, *, after: tuple[str, int], limit: int
) -> list[ProviderKey]:
    """Returns a person's keys and the tenant's, by name and nearness, after a name and its rank."""
    values = {
        "tenant": place.tenant,
        "principal": place.principal,
        "nobody": NOBODY,
        "after": after[0],
        "rank": after[1],
        "limit": limit,
    }
    return [_provider_key(row) for row in await connection.execute(_LIST, values)]


async def create_key(
    connection: AsyncConnection, place: Place, key: ProviderKey
) -> ProviderKey | None:
    """Stores a key; None when the name is taken."""
    row = (await connection.execute(_INSERT, _values(place, key))).one_or_none()
    return _provider_key(row) if row else None


async def change_key(connection: AsyncConnection, place: Place, key: ProviderKey) -> ProviderKey:
    """Changes a key that the transaction locked."""
    return _provider_key((await connection.execute(_UPDATE, _values(place, key))).one())


async def delete_key(connection: AsyncConnection, place: Place, name: str) -> None:
    """Deletes a key."""
    await connection.execute(_DELETE, _key(place, name))


async def get_mode(connection: AsyncConnection, place: Place, *, lock: bool = False) -> Mode:
    """Returns whether keys are used; `lock` keeps everybody else from changing what is said."""
    statement = _LOCK_MODE if lock else _MODE
    values = {"tenant": place.tenant, "owner": place.owner}
    row = (await connection.execute(statement, values)).one_or_none()
    return _mode(row) if row else UNSAID


async def set_mode(connection: AsyncConnection, place: Place, mode: str) -> Mode:
    """Says whether keys are used."""
    values = {
        "tenant": place.tenant,
        "owner": place.owner,
        "mode": mode,
        "etag": uuid4().hex,
    }
    return _mode((await connection.execute(_SET_MODE, values)).one())


def _key(place: Place, name: str) -> dict[str, Any]:
    return {"tenant": place.tenant, "owner": place.owner, "name": name}


def _values(place: Place, key: ProviderKey) -> dict[str, Any]:
    return {
        **_key(place, key.name),
        "scope": key.scope,
        "provider": key.provider,
        "base_url": key.base_url,
        "sealed_api_key": key.sealed_api_key,
        "etag": uuid4().hex,
    }


def _mode(row: Any) -> Mode:
    return Mode(**row._mapping)  # SQLAlchemy's documented accessor


def _provider_key(row: Any) -> ProviderKey:
    return ProviderKey(**row._mapping)  # SQLAlchemy's documented accessor
