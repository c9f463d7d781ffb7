"""Summaries that were made, by what they are of."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Whoever sweeps the content waits for this, or this finds none: nothing is kept of what is gone.
_GET = text("""
WITH found AS (
  SELECT summary FROM summaries WHERE tenant = :tenant AND digest = :digest AND recipe = :recipe),
content AS (
  SELECT tenant, digest FROM contents WHERE tenant = :tenant AND digest = :content
  FOR KEY SHARE),
named AS (
  INSERT INTO summarized (tenant, content, digest, recipe)
  SELECT tenant, digest, CAST(:digest AS bytea), CAST(:recipe AS text) FROM content
  WHERE EXISTS (SELECT FROM found) ON CONFLICT DO NOTHING)
SELECT summary FROM found
""")
# Of two that were made at once the first is kept, and told by both.
_KEEP = text("""
WITH content AS (
  SELECT tenant, digest FROM contents WHERE tenant = :tenant AND digest = :content
  FOR KEY SHARE),
named AS (
  INSERT INTO summarized (tenant, content, digest, recipe)
  SELECT tenant, digest, CAST(:digest AS bytea), CAST(:recipe AS text) FROM content
  ON CONFLICT DO NOTHING),
kept AS (
  INSERT INTO summaries (tenant, digest, recipe, summary)
  SELECT tenant, :digest, :recipe, :summary FROM content
  ON CONFLICT (tenant, digest, recipe) DO NOTHING RETURNING summary)
SELECT summary FROM kept UNION ALL
SELECT summary FROM summaries WHERE tenant = :tenant AND digest = :digest AND recipe = :recipe
LIMIT 1
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is summarized, and how."""

    tenant: UUID
    content: bytes
    """The digest of the content that it is, or is a part of."""

    text: str
    recipe: str

    @property
    def values(self) -> dict[str, Any]:
        """What statements know it by."""
        return {
            "tenant": self.tenant,
            "content": self.content,
            "digest": sha256(self.text.encode()).digest(),
            "recipe": self.recipe,
        }


async def get(connection: AsyncConnection, subject: Subject) -> str | None:
    """Returns a summary of a text, if one was made."""
    return await connection.scalar(_GET, subject.values)


async def keep(connection: AsyncConnection, subject: Subject, summary: str) -> str:
    """Keeps a summary of a text that is still there; returns the one that is kept."""
    values = {**subject.values, "summary": summary}
    return (await connection.execute(_KEEP, values)).scalar_one_or_none() or summary
