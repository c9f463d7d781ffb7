"""Summaries that were made, by what they are of."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_GET = text(
    "SELECT summary FROM summaries WHERE tenant = :tenant AND digest = :digest AND recipe = :recipe"
)
# Of two that were made at once the first is kept, and told by both.
_KEEP = text("""
WITH kept AS (
  INSERT INTO summaries (tenant, digest, recipe, summary)
  VALUES (:tenant, :digest, :recipe, :summary)
  ON CONFLICT (tenant, digest, recipe) DO NOTHING RETURNING summary)
SELECT summary FROM kept UNION ALL
SELECT summary FROM summaries WHERE tenant = :tenant AND digest = :digest AND recipe = :recipe
LIMIT 1
""")


async def get(connection: AsyncConnection, tenant: UUID, of: str, recipe: str) -> str | None:
    """Returns a summary of a text, if one was made."""
    return await connection.scalar(_GET, _key(tenant, of, recipe))


async def keep(
    connection: AsyncConnection, tenant: UUID, of: str, recipe: str, summary: str
) -> str:
    """Keeps a summary of a text; returns the one that is kept."""
    values = {**_key(tenant, of, recipe), "summary": summary}
    return (await connection.execute(_KEEP, values)).scalar_one_or_none() or summary


def _key(tenant: UUID, of: str, recipe: str) -> dict[str, Any]:
    return {"tenant": tenant, "digest": sha256(of.encode()).digest(), "recipe": recipe}
