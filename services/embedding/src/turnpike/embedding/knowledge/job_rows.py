"""Indexings as jobs: who claims one, and what only its holder may write."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.claims import LEASE_SECONDS, ClaimLostError
from turnpike.embedding.knowledge.model import Recipe, State

# The tenant whose work is least under way goes first, and of its jobs those that somebody waits
# for, the oldest first: whoever puts thousands of documents delays nobody but themselves. By the
# system role, which sees every tenant's. Tenants are found one by one in the index: to count what
# each has waiting would read all of it for every claim. Only the one that is picked is locked.
_CLAIM = text("""
WITH RECURSIVE tenants AS (
  (SELECT tenant FROM indexings WHERE state NOT IN ('READY', 'FAILED') ORDER BY tenant LIMIT 1)
  UNION ALL
  SELECT (SELECT i.tenant FROM indexings i WHERE i.tenant > t.tenant
    AND i.state NOT IN ('READY', 'FAILED') ORDER BY i.tenant LIMIT 1)
  FROM tenants t WHERE t.tenant IS NOT NULL),
picked AS (
  SELECT i.tenant, i.id FROM (
    SELECT t.tenant, o.due_at AS oldest, (
      SELECT count(*) FROM indexings c WHERE c.tenant = t.tenant
        AND c.state NOT IN ('READY', 'FAILED') AND c.due_at > statement_timestamp()) AS claimed
    FROM tenants t CROSS JOIN LATERAL (
      SELECT o.due_at FROM indexings o WHERE o.tenant = t.tenant
        AND o.state NOT IN ('READY', 'FAILED') AND o.due_at <= statement_timestamp()
      ORDER BY o.due_at LIMIT 1) o
    ORDER BY claimed, oldest OFFSET 0) w
  CROSS JOIN LATERAL (
    SELECT i.tenant, i.id FROM indexings i WHERE i.tenant = w.tenant
      AND i.state NOT IN ('READY', 'FAILED') AND i.due_at <= statement_timestamp()
    ORDER BY i.backfill, i.due_at, i.id LIMIT 1 FOR UPDATE SKIP LOCKED) i
  ORDER BY w.claimed, w.oldest LIMIT 1)
UPDATE indexings i SET fence = i.fence + 1, attempts = i.attempts + 1,
  due_at = statement_timestamp() + make_interval(secs => :lease)
FROM picked p WHERE i.tenant = p.tenant AND i.id = p.id
RETURNING i.tenant, i.id, i.collection, i.document, i.content, i.recipe, i.model, i.fence,
  i.attempts
""")
_RENEW = text("""
UPDATE indexings SET due_at = statement_timestamp() + make_interval(secs => :lease)
WHERE tenant = :tenant AND id = :id AND fence = :fence AND state NOT IN ('READY', 'FAILED')
""")
_ADVANCE = text("""
UPDATE indexings SET state = :state, done = :done, total = :total, embedded = :embedded,
  due_at = statement_timestamp() + make_interval(secs => :lease)
WHERE tenant = :tenant AND id = :id AND fence = :fence AND state NOT IN ('READY', 'FAILED')
""")
_END = text("""
UPDATE indexings SET state = :state, reason = :reason, detail = :detail,
  finished = statement_timestamp()
WHERE tenant = :tenant AND id = :id AND fence = :fence AND state NOT IN ('READY', 'FAILED')
""")
_RELEASE = text("""
UPDATE indexings SET due_at = statement_timestamp() + make_interval(secs => :seconds),
  attempts = attempts - :uncounted
WHERE tenant = :tenant AND id = :id AND fence = :fence AND state NOT IN ('READY', 'FAILED')
""")
# No migration begins or ends meanwhile; writers go on, who lock it less.
_LOCK_MODELS = text(
    "SELECT model, next_model FROM collections WHERE tenant = :tenant AND id = :collection"
    " FOR KEY SHARE"
)
_LOCK_DOCUMENT = text(
    "SELECT id FROM documents WHERE tenant = :tenant AND id = :document FOR UPDATE"
)
# A content is shown that the document has now; or that searches find of it, by another model
# than this, as long as this one has nothing newer.
_IS_SHOWN = text("""
SELECT d.path IS NOT NULL AND (d.content = :content OR (
    i.content = :content AND i.model <> :model AND n.content IS DISTINCT FROM d.content))
FROM documents d
LEFT JOIN indexings i ON i.tenant = d.tenant AND i.id = d.indexing
LEFT JOIN indexings n ON n.tenant = d.tenant AND n.id = d.next_indexing
WHERE d.tenant = :tenant AND d.id = :document
""")
_CIRCUMSTANCES = text("""
SELECT k.language, coalesce((SELECT c.principal FROM revisions r
    JOIN changes c ON c.tenant = r.tenant AND c.id = r.change
    WHERE r.tenant = :tenant AND r.document = :document AND r.content = :content
    ORDER BY r.number LIMIT 1), '') AS principal
FROM collections k WHERE k.tenant = :tenant AND k.id = :collection
""")
# First the document, then its chunks, then its indexing, as whoever writes or deletes it does.
_KEEP_DOCUMENT = text(
    "SELECT id FROM documents WHERE tenant = :tenant AND id = :document FOR KEY SHARE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An indexing that this process may work on, as long as its fence holds."""

    tenant: UUID
    id: UUID
    collection: UUID
    document: UUID
    content: bytes
    recipe: Recipe
    model: str
    fence: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a job needs to know beside what it is."""

    language: str
    principal: str
    """Who wrote the content first, and pays."""


async def claim(connection: AsyncConnection) -> Job | None:
    """Claims the job that has waited longest, in a system transaction."""
    row = (await connection.execute(_CLAIM, {"lease": LEASE_SECONDS})).one_or_none()
    if row is None:
        return None
    return Job(
        tenant=row.tenant,
        id=row.id,
        collection=row.collection,
        document=row.document,
        content=row.content,
        recipe=Recipe.parse(row.recipe),
        model=row.model,
        fence=row.fence,
        attempts=row.attempts,
    )


async def renew(connection: AsyncConnection, job: Job) -> None:
    """Prolongs the claim, or raises `ClaimLostError`."""
    await _guarded(connection, _RENEW, job, lease=LEASE_SECONDS)


async def advance(
    connection: AsyncConnection,
    job: Job,
    state: State,
    *,
    done: int = 0,
    total: int = 0,
    embedded: int = 0,
) -> None:
    """Says how far the job is, and prolongs the claim; raises `ClaimLostError`."""
    await _guarded(
        connection,
        _ADVANCE,
        job,
        state=state.value,
        done=done,
        total=total,
        embedded=embedded,
        lease=LEASE_SECONDS,
    )


async def end(
    connection: AsyncConnection, job: Job, state: State, reason: str = "", detail: str = ""
) -> None:
    """Ends the job, or raises `ClaimLostError`."""
    await _guarded(connection, _END, job, state=state.value, reason=reason, detail=detail[:1000])


async def release(connection: AsyncConnection, job: Job, *, seconds: float, counts: bool) -> None:
    """Gives the job back, for whoever comes after so many seconds; raises `ClaimLostError`."""
    await _guarded(connection, _RELEASE, job, seconds=seconds, uncounted=0 if counts else 1)


async def lock_document(connection: AsyncConnection, job: Job) -> str | None:
    """Keeps the job's document, and its collection's models, from changing.

    Returns the model that the collection is migrating to, empty if it is to none; None if
    searches are not to find the document by this job.
    """
    values = {
        "tenant": job.tenant,
        "collection": job.collection,
        "document": job.document,
        "content": job.content,
        "model": job.model,
    }
    models = (await connection.execute(_LOCK_MODELS, values)).one_or_none()
    if models is None or (await connection.execute(_LOCK_DOCUMENT, values)).one_or_none() is None:
        raise ClaimLostError
    is_shown = (await connection.execute(_IS_SHOWN, values)).scalar_one()
    is_wanted = job.model in (models.model, models.next_model)
    return (models.next_model or "") if is_shown and is_wanted else None


async def keep_document(connection: AsyncConnection, job: Job) -> None:
    """Keeps the job's document from being moved or deleted; raises `ClaimLostError` if it is gone.

    Before anything of it is written: whoever changes it locks it before its indexings.
    """
    values = {"tenant": job.tenant, "document": job.document}
    if (await connection.execute(_KEEP_DOCUMENT, values)).one_or_none() is None:
        raise ClaimLostError


async def circumstances(connection: AsyncConnection, job: Job) -> Circumstances:
    """Returns what a job whose document is kept needs to know."""
    values = {
        "tenant": job.tenant,
        "collection": job.collection,
        "document": job.document,
        "content": job.content,
    }
    row = (await connection.execute(_CIRCUMSTANCES, values)).one()
    return Circumstances(language=row.language, principal=row.principal)


async def _guarded(connection: AsyncConnection, statement: Any, job: Job, **values: object) -> None:
    named = {"tenant": job.tenant, "id": job.id, "fence": job.fence, **values}
    if not (await connection.execute(statement, named)).rowcount:
        raise ClaimLostError
