"""Model configurations, in Postgres."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.models.prompt import Prices
from turnpike.agent_runtime.models.scopes import NOBODY, PERSON, PLATFORM, TENANT, Place

POOL = "pool"
"""The provider of what is a choice among models."""

_VALUES = (
    "provider",
    "model",
    "base_url",
    "sealed_api_key",
    "role",
    "prices",
    "context_window",
    "max_output",
    "capabilities",
    "options",
    "quota_pool",
)
_JSON = frozenset({"prices", "capabilities", "options"})
_MEMBERS = (
    "coalesce((SELECT jsonb_agg(jsonb_build_object('model', p.member, 'weight', p.weight)"
    " ORDER BY p.ordinal) FROM pool_members p WHERE p.tenant = m.tenant"
    " AND p.principal = m.principal AND p.pool = m.name), '[]') AS members"
)
_COLUMNS = f"m.name, m.scope, m.version, m.{', m.'.join(_VALUES)}, m.etag, m.created, m.updated"
_RANK = "CASE m.scope WHEN 'PERSON' THEN 1 WHEN 'TENANT' THEN 2 ELSE 3 END"
_SEEN = (
    "(m.scope = 'PLATFORM' OR m.tenant = :tenant"
    " AND (m.scope = 'TENANT' OR m.principal = :principal))"
)
_THIS = "m.tenant = :tenant AND m.principal = :owner AND m.name = :name"
_SELECT = f"SELECT {_COLUMNS}, {_MEMBERS} FROM models m"  # noqa: S608 # constants
_GET = text(f"{_SELECT} WHERE {_THIS}")
_NEAREST = text(
    f"{_SELECT} WHERE m.name = :name AND {_SEEN}"
    f" AND (:scope = '' OR m.scope = :scope) ORDER BY {_RANK}, m.tenant LIMIT 1"
)
_LIST = text(
    f"{_SELECT} WHERE {_SEEN} AND (m.name, {_RANK}) > (:after, CAST(:rank AS integer))"
    f" ORDER BY m.name, {_RANK} LIMIT :limit"
)
# Whoever names the model holds it until its own transaction is over.
_HOLD = text(
    "SELECT 1 FROM models WHERE tenant = :tenant AND principal = :nobody AND name = :name"
    " AND role = 'chat' FOR KEY SHARE"
)
_OFFERED = text(
    "SELECT 1 FROM models WHERE scope = 'PLATFORM' AND name = :name AND role = 'chat' LIMIT 1"
)
_LOCK = text(f"{_SELECT} WHERE {_THIS} FOR UPDATE OF m")
_SET = ", ".join(f"CAST(:{name} AS jsonb)" if name in _JSON else f":{name}" for name in _VALUES)
_INSERT = text(
    f"INSERT INTO models (tenant, principal, name, scope, etag, {', '.join(_VALUES)})"  # noqa: S608 # constants
    f" VALUES (:tenant, :owner, :name, :scope, :etag, {_SET})"
    " ON CONFLICT (tenant, principal, name) DO NOTHING RETURNING name"
)
_UPDATE = text(
    f"UPDATE models m SET ({', '.join(_VALUES)}) = ({_SET}), etag = :etag,"  # noqa: S608 # constants
    f" updated = statement_timestamp() WHERE {_THIS}"
)
_DELETE = text(f"DELETE FROM models m WHERE {_THIS} RETURNING name")  # noqa: S608 # a constant
_CLEAR_MEMBERS = text(
    "DELETE FROM pool_members WHERE tenant = :tenant AND principal = :owner AND pool = :name"
)
# A pool's members are of its own scope, or the platform's; the nearer one is meant.
_ADD_MEMBER = text(
    "INSERT INTO pool_members (tenant, principal, pool, ordinal, member_tenant,"  # noqa: S608 # a constant
    " member_principal, member, weight)"
    " SELECT :tenant, :owner, :name, :ordinal, m.tenant, m.principal, m.name, :weight"
    " FROM models m WHERE m.name = :member AND m.role = 'chat' AND m.provider <> 'pool'"
    " AND (m.scope = 'PLATFORM' OR m.tenant = :tenant AND m.principal = :owner)"
    f" ORDER BY {_RANK} LIMIT 1 RETURNING member"
)
_POOL_OF = text(
    "SELECT pool FROM pool_members WHERE member_tenant = :tenant"
    " AND member_principal = :owner AND member = :name ORDER BY pool LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One choice of a pool."""

    model: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A row of `models`, with its members where it is a pool; the credential is sealed."""

    name: str
    provider: str
    model: str
    base_url: str
    sealed_api_key: str
    role: str
    prices: Prices | None
    scope: str = TENANT
    context_window: int = 0
    max_output: int = 0
    capabilities: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    quota_pool: str = ""
    members: tuple[Member, ...] = ()
    version: int = 0
    etag: str = ""
    created: datetime | None = None
    updated: datetime | None = None

    def means_the_same(self, other: "ModelConfig") -> bool:
        """Says whether both reach the same model; credentials are compared by the caller."""
        return _bare(self) == _bare(other)

    def is_where(self, other: "ModelConfig") -> bool:
        """Says whether both show their credentials at the same place."""
        return _place(self) == _place(other)


async def get_model(connection: AsyncConnection, place: Place, name: str) -> ModelConfig | None:
    """Returns the model of that name in that very place."""
    row = (await connection.execute(_GET, _key(place, name))).one_or_none()
    return _config(row) if row else None


async def nearest_model(
    connection: AsyncConnection, place: Place, name: str, scope: str
) -> ModelConfig | None:
    """Returns the model that a person means by a name; of one scope, unless that is empty."""
    values = {
        "tenant": place.tenant,
        "principal": place.principal,
        "name": name,
        "scope": scope,
    }
    row = (await connection.execute(_NEAREST, values)).one_or_none()
    return _config(row) if row else None


async def hold_model(connection: AsyncConnection, tenant: UUID, name: str) -> bool:
    """Keeps a chat model from being deleted for the transaction; False when there is none."""
    values = {"tenant": tenant, "nobody": NOBODY, "name": name}
    if await connection.scalar(_HOLD, values) is not None:
        return True
    return await connection.scalar(_OFFERED, {"name": name}) is not None


async def lock_model(connection: AsyncConnection, place: Place, name: str) -> ModelConfig | None:
    """Returns the model, and keeps everybody else from changing it."""
    row = (await connection.execute(_LOCK, _key(place, name))).one_or_none()
    return _config(row) if row else None


async def list_models(
    connection: AsyncConnection, place: Place, *, after: tuple[str, int], limit: int
) -> list[ModelConfig]:
    """Returns what a person sees, by name and nearness, after a name and its rank."""
    rows = await connection.execute(
        _LIST,
        {
            "tenant": place.tenant,
            "principal": place.principal,
            "after": after[0],
            "rank": after[1],
            "limit": limit,
        },
    )
    return [_config(row) for row in rows]


async def create_model(connection: AsyncConnection, place: Place, config: ModelConfig) -> bool:
    """Stores a model; False when the name is taken."""
    return await connection.scalar(_INSERT, _values(place, config)) is not None


async def change_model(connection: AsyncConnection, place: Place, config: ModelConfig) -> None:
    """Changes a model that the transaction locked."""
    await connection.execute(_UPDATE, _values(place, config))


async def set_members(connection: AsyncConnection, place: Place, config: ModelConfig) -> str:
    """Stores a pool's members; returns the name of one that cannot be one, or nothing."""
    key = _key(place, config.name)
    await connection.execute(_CLEAR_MEMBERS, key)
    for ordinal, member in enumerate(config.members):
        values = {**key, "ordinal": ordinal, "member": member.model, "weight": member.weight}
        if await connection.scalar(_ADD_MEMBER, values) is None:
            return member.model
    return ""


async def pool_of(connection: AsyncConnection, place: Place, name: str) -> str | None:
    """Returns a pool that a model is a member of."""
    return await connection.scalar(_POOL_OF, _key(place, name))


async def delete_model(connection: AsyncConnection, place: Place, name: str) -> bool:
    """Deletes a model; False when there is none."""
    return await connection.scalar(_DELETE, _key(place, name)) is not None


def rank_of(config: ModelConfig) -> int:
    """Returns how near a model is, as `list_models` orders them."""
    return {PERSON: 1, TENANT: 2, PLATFORM: 3}[config.scope]


def _key(place: Place, name: str) -> dict[str, Any]:
    return {"tenant": place.tenant, "owner": place.owner, "name": name}


def _values(place: Place, config: ModelConfig) -> dict[str, Any]:
    return {
        **_key(place, config.name),
        "scope": config.scope,
        "provider": config.provider,
        "model": config.model,
        "base_url": config.base_url,
        "sealed_api_key": config.sealed_api_key,
        "role": config.role,
        "prices": orjson.dumps(config.prices).decode() if config.prices else None,
        "context_window": config.context_window,
        "max_output": config.max_output,
        "capabilities": orjson.dumps(config.capabilities).decode(),
        "options": orjson.dumps(dict(config.options)).decode(),
        "quota_pool": config.quota_pool,
        "etag": uuid4().hex,
    }


def _place(config: ModelConfig) -> tuple[str, str]:
    return config.provider, config.base_url.rstrip("/")


def _bare(config: ModelConfig) -> ModelConfig:
    return replace(config, sealed_api_key="", version=0, etag="", created=None, updated=None)


def _config(row: Any) -> ModelConfig:
    values = dict(row._mapping)  # SQLAlchemy's documented accessor
    prices, members = values.pop("prices"), values.pop("members")
    return ModelConfig(
        prices=Prices(**prices) if prices else None,
        members=tuple(Member(**member) for member in members),
        capabilities=tuple(values.pop("capabilities")),
        options=tuple(sorted(values.pop("options").items())),
        **values,
    )
