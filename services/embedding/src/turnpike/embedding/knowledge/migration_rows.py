"""Migrations of collections to other models, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.claims import LEASE_SECONDS, ClaimLostError
from turnpike.embedding.knowledge.errors import MissingError
from turnpike.embedding.knowledge.model import Advance, Comparison, Migration, MigrationState

_ASKED_AT_ONCE = 200
_DROPPED_AT_ONCE = 500

# Whoever makes a document searchable holds its collection against this one's lock, and so
# do writers: what they do is wholly before a decision, or wholly after it.
_LOCK = text("SELECT id FROM collections WHERE tenant = :tenant AND name = :name FOR UPDATE")
_LOCK_BY_ID = text("SELECT id FROM collections WHERE tenant = :tenant AND id = :id FOR UPDATE")
_GET = text("SELECT * FROM migrations WHERE tenant = :tenant AND collection = :collection")
_BEGIN = text("""
INSERT INTO migrations AS m (tenant, collection, source, target, state, principal)
VALUES (:tenant, :collection, :source, :target, :state, :principal)
ON CONFLICT (tenant, collection) DO UPDATE SET source = excluded.source,
  target = excluded.target, state = excluded.state, principal = excluded.principal,
  asked_to = '00000000-0000-0000-0000-000000000000', all_asked = false, sample = 0, recall = 0,
  agreement = 0, source_hits = 0, target_hits = 0, fence = m.fence + 1,
  due_at = statement_timestamp(), created = statement_timestamp(), ended = NULL
RETURNING *
""")
_RETRY = text(
    "UPDATE indexings SET state = 'QUEUED', attempts = 0, fence = fence + 1,"
    " due_at = statement_timestamp() WHERE tenant = :tenant AND collection = :collection"
    " AND model = :target AND state = 'FAILED'"
)
_SET_MODELS = text(
    "UPDATE collections SET model = :model, next_model = :next_model,"
    " updated = statement_timestamp() WHERE tenant = :tenant AND id = :collection"
)
# Each search sees this with the collection's model, or neither.
_FLIP = text(
    "UPDATE documents SET indexing = next_indexing, next_indexing = NULL"
    " WHERE tenant = :tenant AND collection = :collection AND next_indexing IS NOT NULL"
)
_FORGET = text(
    "UPDATE documents SET next_indexing = NULL"
    " WHERE tenant = :tenant AND collection = :collection AND next_indexing IS NOT NULL"
)
_DECIDE = text(
    "UPDATE migrations SET state = :state, fence = fence + 1, due_at = statement_timestamp()"
    " WHERE tenant = :tenant AND collection = :collection RETURNING *"
)
# What was ready is to be ready; what never was needs not be.
_ADVANCE = text("""
SELECT count(*) AS total, count(*) FILTER (WHERE n.state = 'READY') AS done,
  count(*) FILTER (WHERE n.state = 'FAILED') AS failed
FROM indexings o
LEFT JOIN indexings n ON n.tenant = o.tenant AND n.document = o.document
  AND n.content = o.content AND n.recipe = o.recipe AND n.model = :target
WHERE o.tenant = :tenant AND o.collection = :collection AND o.model = :source
  AND o.state = 'READY'
""")
# By the system role, which sees every tenant's.
_CLAIM = text("""
UPDATE migrations m SET fence = m.fence + 1,
  due_at = statement_timestamp() + make_interval(secs => :lease)
FROM (SELECT tenant, collection FROM migrations
  WHERE ended IS NULL AND due_at <= statement_timestamp()
  ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) p
WHERE m.tenant = p.tenant AND m.collection = p.collection
RETURNING m.*
""")
_STALE = text("""
SELECT tenant, id, model FROM collections
WHERE model <> ALL(:keys) AND split_part(model, '@', 1) = ANY(:names) LIMIT 100
""")
_RELEASE = text(
    "UPDATE migrations SET due_at = statement_timestamp() + make_interval(secs => :seconds)"
    " WHERE tenant = :tenant AND collection = :collection AND fence = :fence"
)
# Under the claim's lock: a decision in between would have another fence.
_HOLD = text(
    "SELECT fence FROM migrations WHERE tenant = :tenant AND collection = :collection"
    " AND fence = :fence AND ended IS NULL FOR UPDATE"
)
_ASK = text("""
WITH batch AS (
  SELECT id, document, content, recipe, state FROM indexings
  WHERE tenant = :tenant AND collection = :collection AND model = :source AND id > (
    SELECT asked_to FROM migrations WHERE tenant = :tenant AND collection = :collection)
  ORDER BY id LIMIT :most),
asked AS (
  INSERT INTO indexings
    (tenant, id, collection, document, content, recipe, model, backfill)
  SELECT :tenant, gen_random_uuid(), :collection, document, content, recipe, :target, true
  FROM batch WHERE state <> 'FAILED'
  ON CONFLICT (tenant, document, content, recipe, model) DO NOTHING)
UPDATE migrations SET asked_to = coalesce((SELECT id FROM batch ORDER BY id DESC LIMIT 1),
    asked_to), all_asked = (SELECT count(*) FROM batch) < :most
WHERE tenant = :tenant AND collection = :collection
""")
_COMPARED = text(
    "UPDATE migrations SET sample = :sample, recall = :recall, agreement = :agreement,"
    " source_hits = :source_hits, target_hits = :target_hits"
    " WHERE tenant = :tenant AND collection = :collection AND fence = :fence"
)
# First the jobs: without them nobody makes more of what is dropped.
_DROP = tuple(
    text(
        f"DELETE FROM {table} WHERE tenant = :tenant AND id = ANY(ARRAY(SELECT id FROM {table}"  # noqa: S608 # two names
        " WHERE tenant = :tenant AND collection = :collection AND model = :dropped"
        f" LIMIT {_DROPPED_AT_ONCE}))"
    )
    for table in ("indexings", "chunks")
)
_END = text(
    "UPDATE migrations SET ended = statement_timestamp()"
    " WHERE tenant = :tenant AND collection = :collection AND fence = :fence"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A migration that this process may work on, as long as its fence holds."""

    tenant: UUID
    migration: Migration
    principal: str
    """Who asked for it, and pays for the comparison."""

    all_asked: bool
    """Whether there is a job for each text."""

    fence: int

    @property
    def values(self) -> dict[str, Any]:
        """What statements know it by."""
        return {
            "tenant": self.tenant,
            "collection": self.migration.collection,
            "source": self.migration.source,
            "target": self.migration.target,
            "fence": self.fence,
        }


async def lock(connection: AsyncConnection, tenant: UUID, name: str) -> UUID:
    """Keeps everybody from writing to a collection, and its migration from going on."""
    row = (await connection.execute(_LOCK, {"tenant": tenant, "name": name})).one_or_none()
    if row is None:
        raise MissingError("collection", name)
    return row.id


async def lock_by_id(connection: AsyncConnection, tenant: UUID, identity: UUID) -> None:
    """As `lock`; nothing if the collection is gone."""
    await connection.execute(_LOCK_BY_ID, {"tenant": tenant, "id": identity})


async def find(connection: AsyncConnection, tenant: UUID, collection: UUID) -> Migration | None:
    """Returns a collection's migration, or its last one."""
    values = {"tenant": tenant, "collection": collection}
    row = (await connection.execute(_GET, values)).one_or_none()
    return _migration(row) if row else None


async def begin(
    connection: AsyncConnection,
    tenant: UUID,
    collection: UUID,
    *,
    source: str,
    target: str,
    state: MigrationState,
    principal: str,
) -> Migration:
    """Begins a migration, under the collection's lock."""
    values = {
        "tenant": tenant,
        "collection": collection,
        "source": source,
        "target": target,
        "state": state.value,
        "principal": principal,
    }
    return _migration((await connection.execute(_BEGIN, values)).one())


async def set_models(
    connection: AsyncConnection, tenant: UUID, collection: UUID, model: str, next_model: str | None
) -> None:
    """Says which model a collection has, and which it is to have."""
    values = {"tenant": tenant, "collection": collection, "model": model, "next_model": next_model}
    await connection.execute(_SET_MODELS, values)


async def retry(connection: AsyncConnection, tenant: UUID, migration: Migration) -> None:
    """Has what failed be tried again."""
    values = {"tenant": tenant, "collection": migration.collection, "target": migration.target}
    await connection.execute(_RETRY, values)


async def decide(
    connection: AsyncConnection, tenant: UUID, collection: UUID, state: MigrationState
) -> Migration:
    """Says what becomes of a migration; points documents at what searches then find."""
    values = {"tenant": tenant, "collection": collection, "state": state.value}
    await connection.execute(_FLIP if state is MigrationState.ACTIVATED else _FORGET, values)
    return _migration((await connection.execute(_DECIDE, values)).one())


async def flip(connection: AsyncConnection, tenant: UUID, collection: UUID) -> None:
    """Points documents at what they have of the model that was to come."""
    await connection.execute(_FLIP, {"tenant": tenant, "collection": collection})


async def advance(connection: AsyncConnection, tenant: UUID, migration: Migration) -> Advance:
    """Returns how much of a migration is done."""
    values = {
        "tenant": tenant,
        "collection": migration.collection,
        "source": migration.source,
        "target": migration.target,
    }
    row = (await connection.execute(_ADVANCE, values)).one()
    return Advance(done=row.done, total=row.total, failed=row.failed)


async def claim(connection: AsyncConnection) -> Claim | None:
    """Claims the migration that is due longest, in a system transaction."""
    row = (await connection.execute(_CLAIM, {"lease": LEASE_SECONDS})).one_or_none()
    if row is None:
        return None
    return Claim(
        tenant=row.tenant,
        migration=_migration(row),
        principal=row.principal,
        all_asked=row.all_asked,
        fence=row.fence,
    )


async def stale(connection: AsyncConnection, keys: Sequence[str]) -> list[tuple[UUID, UUID, str]]:
    """Returns collections whose model was changed under its name, in a system transaction.

    Args:
        connection: As the system role.
        keys: Those of the models that are configured.
    """
    names = [key.partition("@")[0] for key in keys]
    rows = await connection.execute(_STALE, {"keys": list(keys), "names": names})
    return [(row.tenant, row.id, row.model) for row in rows]


async def release(connection: AsyncConnection, claim: Claim, seconds: float) -> None:
    """Gives a migration back, for whoever comes after so many seconds."""
    await connection.execute(_RELEASE, {**claim.values, "seconds": seconds})


async def renew(connection: AsyncConnection, claim: Claim) -> None:
    """Prolongs the claim, or raises `ClaimLostError`."""
    held = await connection.execute(_RELEASE, {**claim.values, "seconds": LEASE_SECONDS})
    if not held.rowcount:
        raise ClaimLostError


async def hold(connection: AsyncConnection, claim: Claim) -> None:
    """Keeps a migration from being decided meanwhile; raises `ClaimLostError`."""
    if (await connection.execute(_HOLD, claim.values)).one_or_none() is None:
        raise ClaimLostError


async def ask(connection: AsyncConnection, claim: Claim) -> None:
    """Makes the next jobs."""
    await connection.execute(_ASK, {**claim.values, "most": _ASKED_AT_ONCE})


async def compared(connection: AsyncConnection, claim: Claim, found: Comparison) -> None:
    """Keeps how two models compare."""
    values = {
        "sample": found.sample,
        "recall": found.recall,
        "agreement": found.agreement,
        "source_hits": found.source_hits,
        "target_hits": found.target_hits,
    }
    await connection.execute(_COMPARED, {**claim.values, **values})


async def drop(connection: AsyncConnection, claim: Claim) -> bool:
    """Drops some of what is wanted no more; says whether there was any."""
    values = {**claim.values, "dropped": claim.migration.dropped}
    for statement in _DROP:
        if (await connection.execute(statement, values)).rowcount:
            return True
    await connection.execute(_END, claim.values)
    return False


def _migration(row: Any) -> Migration:
    return Migration(
        collection=row.collection,
        source=row.source,
        target=row.target,
        state=MigrationState(row.state),
        comparison=Comparison(
            sample=row.sample,
            recall=row.recall,
            agreement=row.agreement,
            source_hits=row.source_hits,
            target_hits=row.target_hits,
        ),
        created=row.created,
        ended=row.ended,
    )
