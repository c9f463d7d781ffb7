"""Model configurations, in Postgres."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.models.prompt import Prices

_COLUMNS = "name, provider, model, base_url, sealed_api_key, role, prices, etag, created, updated"
_GET = text(f"SELECT {_COLUMNS} FROM models WHERE name = :name")  # noqa: S608 # a constant
_LIST = text(
    f"SELECT {_COLUMNS} FROM models WHERE name > :after ORDER BY name LIMIT :limit"  # noqa: S608 # a constant
)
# Whoever names the model holds it until its own transaction is over.
_HOLD = text("SELECT 1 FROM models WHERE name = :name FOR KEY SHARE")
_LOCK = text(f"SELECT {_COLUMNS} FROM models WHERE name = :name FOR UPDATE")  # noqa: S608 # a constant
_INSERT = text(
    "INSERT INTO models (tenant, name, provider, model, base_url, sealed_api_key, role, prices,"
    " etag) VALUES (:tenant, :name, :provider, :model, :base_url, :sealed_api_key, :role,"
    " CAST(:prices AS jsonb), :etag) ON CONFLICT DO NOTHING RETURNING name"
)
_UPDATE = text(
    "UPDATE models SET provider = :provider, model = :model, base_url = :base_url,"
    " sealed_api_key = :sealed_api_key, role = :role, prices = CAST(:prices AS jsonb),"
    " etag = :etag, updated = statement_timestamp() WHERE name = :name"
)
_DELETE = text("DELETE FROM models WHERE name = :name RETURNING name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A row of `models`; the credential is sealed."""

    name: str
    provider: str
    model: str
    base_url: str
    sealed_api_key: str
    role: str
    prices: Prices | None
    etag: str = ""
    created: datetime | None = None
    updated: datetime | None = None

    def means_the_same(self, other: "ModelConfig") -> bool:
        """Says whether both reach the same model; credentials are compared by the caller."""
        return _bare(self) == _bare(other)


async def get_model(connection: AsyncConnection, name: str) -> ModelConfig | None:
    """Returns the model of that name."""
    row = (await connection.execute(_GET, {"name": name})).one_or_none()
    return _config(row) if row else None


async def hold_model(connection: AsyncConnection, name: str) -> bool:
    """Keeps a model from being deleted while the transaction lasts; False when there is none."""
    return await connection.scalar(_HOLD, {"name": name}) is not None


async def lock_model(connection: AsyncConnection, name: str) -> ModelConfig | None:
    """Returns the model, and keeps everybody else from changing it."""
    row = (await connection.execute(_LOCK, {"name": name})).one_or_none()
    return _config(row) if row else None


async def list_models(connection: AsyncConnection, *, after: str, limit: int) -> list[ModelConfig]:
    """Returns models whose names come after `after`, by name."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [_config(row) for row in rows]


async def create_model(connection: AsyncConnection, tenant: UUID, config: ModelConfig) -> bool:
    """Stores a model; False when the name is taken."""
    return await connection.scalar(_INSERT, {"tenant": tenant, **_values(config)}) is not None


async def change_model(connection: AsyncConnection, config: ModelConfig) -> None:
    """Changes a model that the transaction locked."""
    await connection.execute(_UPDATE, _values(config))


async def delete_model(connection: AsyncConnection, name: str) -> bool:
    """Deletes a model; False when there is none."""
    return await connection.scalar(_DELETE, {"name": name}) is not None


def _values(config: ModelConfig) -> dict[str, Any]:
    prices = config.prices
    return {
        "name": config.name,
        "provider": config.provider,
        "model": config.model,
        "base_url": config.base_url,
        "sealed_api_key": config.sealed_api_key,
        "role": config.role,
        "prices": orjson.dumps(prices).decode() if prices else None,
        "etag": uuid4().hex,
    }


def _bare(config: ModelConfig) -> ModelConfig:
    return replace(config, sealed_api_key="", etag="", created=None, updated=None)


def _config(row: Any) -> ModelConfig:
    values = dict(row._mapping)  # SQLAlchemy's documented accessor
    prices = values.pop("prices")
    return ModelConfig(prices=Prices(**prices) if prices else None, **values)
