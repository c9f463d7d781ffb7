"""What searches find of documents: which indexing, which chunks."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge import kinds
from turnpike.embedding.knowledge.model import Collection, Recipe, Shape

# Nobody waits any more for what a document was: that is indexed after what documents are, so
# that one that is written faster than it is indexed is found as it is, not as it was long ago.
# What somebody has under way is left alone; whoever writes waits for no worker.
_DEFER = text("""
UPDATE indexings SET backfill = true WHERE tenant = :tenant AND id IN (
  SELECT o.id FROM revisions r
  JOIN indexings o ON o.tenant = r.tenant AND o.document = r.document AND o.content = r.content
  WHERE r.tenant = :tenant AND r.document = :document AND r.number = :before
    AND o.content <> :content AND NOT o.backfill AND o.state NOT IN ('READY', 'FAILED')
  FOR UPDATE OF o SKIP LOCKED)
""")
# What was indexed before, and what is being indexed, is not indexed again; what failed may
# do better now.
_REQUIRE = text("""
INSERT INTO indexings AS i (tenant, id, collection, document, content, recipe, model)
VALUES (:tenant, :id, :collection, :document, :content, :recipe, :model)
ON CONFLICT (tenant, document, content, recipe, model) DO UPDATE SET
  backfill = false,
  created = CASE WHEN i.state = 'FAILED' THEN statement_timestamp() ELSE i.created END,
  due_at = CASE WHEN i.state = 'FAILED' THEN statement_timestamp() ELSE i.due_at END,
  attempts = CASE WHEN i.state = 'FAILED' THEN 0 ELSE i.attempts END,
  fence = CASE WHEN i.state = 'FAILED' THEN i.fence + 1 ELSE i.fence END,
  state = CASE WHEN i.state = 'FAILED' THEN 'QUEUED' ELSE i.state END
RETURNING id, state
""")
# Rows that are as they should be are not written: an edit touches the vectors of what it
# edited alone. The next model's chunks are none of the others' business, nor they of theirs.
_SHOW = text("""
UPDATE chunks c SET live = NOT c.live
FROM (SELECT k.id, EXISTS (SELECT FROM passages p WHERE p.tenant = k.tenant
    AND p.indexing = :indexing AND p.chunk = k.id) AS wanted
  FROM chunks k WHERE k.tenant = :tenant AND k.document = :document
    AND (k.model = :next_model) = :is_next) w
WHERE c.tenant = :tenant AND c.id = w.id AND c.live <> w.wanted
""")
_POINT = text(
    "UPDATE documents SET indexing = CASE WHEN :is_next THEN indexing ELSE :indexing END,"
    " next_indexing = CASE WHEN :is_next THEN :indexing ELSE next_indexing END"
    " WHERE tenant = :tenant AND id = :document"
)
_UNPOINT = text(
    "UPDATE documents SET indexing = NULL, next_indexing = NULL"
    " WHERE tenant = :tenant AND id = :document"
)
_HIDE = text(
    "UPDATE chunks SET live = false WHERE tenant = :tenant AND document = :document AND live"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A document among the chunks of one model of its collection."""

    tenant: UUID
    document: UUID
    model: str
    next_model: str
    """The one that the collection is migrating to; empty: none."""


def recipe_for(collection: Collection, media_type: str) -> Recipe:
    """Returns how a collection's documents of a kind are divided."""
    return Recipe(
        strategy=kinds.strategy_for(media_type),
        max_tokens=collection.max_tokens,
        overlap=collection.overlap,
        language=kinds.language_of(media_type),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What a document is now."""

    tenant: UUID
    document: UUID
    shape: Shape
    before: int
    """The number of the revision that it was; 0: none."""


async def require(connection: AsyncConnection, collection: Collection, present: Present) -> bool:
    """Has searches find what a document is now: at once, if it was indexed before.

    While its collection migrates, by both models. Returns whether somebody has to index it.
    """
    if present.before:
        await _defer(connection, present)
    if present.shape.path is None:
        await _hide(connection, present)
        return False
    has_work = False
    for model in filter(None, (collection.model, collection.next_model)):
        has_work |= await _require(connection, collection, present, model)
    return has_work


async def _require(
    connection: AsyncConnection, collection: Collection, present: Present, model: str
) -> bool:
    tenant, document, shape = present.tenant, present.document, present.shape
    values = {
        "tenant": tenant,
        "id": uuid4(),
        "collection": collection.id,
        "document": document,
        "content": shape.content,
        "recipe": str(recipe_for(collection, shape.media_type)),
        "model": model,
    }
    row = (await connection.execute(_REQUIRE, values)).one()
    if row.state == "READY":
        place = Place(
            tenant=tenant, document=document, model=model, next_model=collection.next_model
        )
        await show(connection, place, row.id)
    return row.state != "READY"


async def show(connection: AsyncConnection, place: Place, indexing: UUID) -> None:
    """Has searches by a model find a document by an indexing, and by no other."""
    values = {
        "tenant": place.tenant,
        "document": place.document,
        "indexing": indexing,
        "next_model": place.next_model,
        "is_next": place.model == place.next_model,
    }
    await connection.execute(_POINT, values)
    await connection.execute(_SHOW, values)


async def _defer(connection: AsyncConnection, present: Present) -> None:
    """Has what a document was indexed when nothing else waits, if it is something else now."""
    values = {
        "tenant": present.tenant,
        "document": present.document,
        "before": present.before,
        "content": present.shape.content if present.shape.path is not None else b"",
    }
    await connection.execute(_DEFER, values)


async def _hide(connection: AsyncConnection, present: Present) -> None:
    """Has searches find nothing of a document."""
    values = {"tenant": present.tenant, "document": present.document}
    await connection.execute(_UNPOINT, values)
    await connection.execute(_HIDE, values)
