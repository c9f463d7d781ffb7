"""Runs of sources: who claims one, and what only its holder may write."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.claims import LEASE_SECONDS, ClaimLostError
from turnpike.embedding.sources.model import Begun, Counts, Job, RunState, SourceRun

KEPT = 100
"""How many runs of a source are kept."""

# The tenant that has least under way goes first, and of its sources the one that has waited
# longest. By the system role, which sees every tenant's.
_CLAIM = text("""
WITH busy AS (
  SELECT tenant, count(*) AS runs FROM source_runs WHERE state = 'RUNNING' GROUP BY tenant),
picked AS (
  SELECT s.tenant, s.id FROM sources s LEFT JOIN busy b ON b.tenant = s.tenant
  WHERE s.due_at <= statement_timestamp()
  ORDER BY coalesce(b.runs, 0), s.due_at, s.id LIMIT 1 FOR UPDATE OF s SKIP LOCKED)
UPDATE sources s SET fence = s.fence + 1, attempts = s.attempts + 1,
  due_at = statement_timestamp() + make_interval(secs => :lease)
FROM picked p WHERE s.tenant = p.tenant AND s.id = p.id
RETURNING s.*
""")
_HOLD = text(
    "SELECT id FROM sources WHERE tenant = :tenant AND id = :source AND fence = :fence FOR UPDATE"
)
_RENEW = text(
    "UPDATE sources SET due_at = statement_timestamp() + make_interval(secs => :seconds),"
    " attempts = attempts - :uncounted"
    " WHERE tenant = :tenant AND id = :source AND fence = :fence"
)
_RESUME = text(
    "SELECT id, anew FROM source_runs WHERE tenant = :tenant AND source = :source"
    " AND state = 'RUNNING'"
)
_BEGIN = text(
    "UPDATE source_runs SET state = 'RUNNING', started = statement_timestamp()"
    " WHERE tenant = :tenant AND source = :source AND state = 'QUEUED' RETURNING id, anew"
)
_OPEN = text(
    "INSERT INTO source_runs (tenant, source, state, anew, started)"
    " VALUES (:tenant, :source, 'RUNNING', false, statement_timestamp()) RETURNING id, anew"
)
_LISTED = text(
    "UPDATE source_runs SET listed = :listed, incomplete = :incomplete"
    " WHERE tenant = :tenant AND id = :run"
)
_COUNT = text(
    "UPDATE source_runs SET added = added + :added, changed = changed + :changed,"
    " removed = removed + :removed WHERE tenant = :tenant AND id = :run"
)
_END = text(
    "UPDATE source_runs SET state = :state, reason = :reason, detail = :detail,"
    " unchanged = :unchanged, failed = :failed, skipped = :skipped,"
    " ended = statement_timestamp() WHERE tenant = :tenant AND id = :run"
)
# After the source was locked: what was asked for until then is seen here.
_SCHEDULE = text("""
UPDATE sources s SET attempts = 0, due_at = CASE
  WHEN EXISTS (SELECT FROM source_runs r WHERE r.tenant = s.tenant AND r.source = s.id
    AND r.state = 'QUEUED') THEN statement_timestamp()
  WHEN s.paused THEN NULL
  ELSE statement_timestamp() + make_interval(secs => s.seconds * (0.9 + random() * 0.2)) END
WHERE s.tenant = :tenant AND s.id = :source
  AND NOT EXISTS (SELECT FROM source_runs r WHERE r.tenant = s.tenant AND r.source = s.id
    AND r.state = 'RUNNING')
""")
_FORGET = text(
    "DELETE FROM source_runs WHERE tenant = :tenant AND id IN (SELECT id FROM source_runs"
    " WHERE tenant = :tenant AND source = :source ORDER BY id DESC OFFSET :kept)"
)
_ASK = text(
    "INSERT INTO source_runs AS r (tenant, source, anew) VALUES (:tenant, :source, :anew)"
    " ON CONFLICT (tenant, source) WHERE state = 'QUEUED'"
    " DO UPDATE SET anew = r.anew OR excluded.anew RETURNING *"
)
_PAGE = text(
    "SELECT * FROM source_runs WHERE tenant = :tenant AND source = :source AND id < :before"
    " ORDER BY id DESC LIMIT :limit"
)


async def claim(connection: AsyncConnection) -> Any | None:
    """Claims the source that has waited longest, in a system transaction; returns its row."""
    return (await connection.execute(_CLAIM, {"lease": LEASE_SECONDS})).one_or_none()


async def hold(connection: AsyncConnection, job: Job) -> None:
    """Keeps the claim from being lost until the transaction ends, or raises `ClaimLostError`."""
    values = {"tenant": job.tenant, "source": job.source, "fence": job.fence}
    if await connection.scalar(_HOLD, values) is None:
        raise ClaimLostError


async def renew(connection: AsyncConnection, job: Job) -> None:
    """Prolongs the claim, or raises `ClaimLostError`."""
    await _prolong(connection, job, LEASE_SECONDS, uncounted=0)


async def release(connection: AsyncConnection, job: Job, *, seconds: float) -> None:
    """Gives the run back, for whoever comes after so many seconds; raises `ClaimLostError`."""
    await _prolong(connection, job, seconds, uncounted=1)


async def begin(connection: AsyncConnection, job: Job) -> Begun:
    """Returns the run to go on with: one that was left, one that was asked for, or a new one."""
    await hold(connection, job)
    values = {"tenant": job.tenant, "source": job.source}
    for statement in (_RESUME, _BEGIN, _OPEN):
        row = (await connection.execute(statement, values)).one_or_none()
        if row is not None:
            return Begun(row.id, row.anew)
    raise ClaimLostError


async def note_listing(
    connection: AsyncConnection, job: Job, run: Begun, *, listed: int, incomplete: bool
) -> None:
    """Writes how many items there are; raises `ClaimLostError`."""
    await hold(connection, job)
    values = {"tenant": job.tenant, "run": run.id, "listed": listed, "incomplete": incomplete}
    await connection.execute(_LISTED, values)


async def count(
    connection: AsyncConnection,
    job: Job,
    run: Begun,
    *,
    added: int = 0,
    changed: int = 0,
    removed: int = 0,
) -> None:
    """Counts what the same transaction does, which holds the claim."""
    values = {
        "tenant": job.tenant,
        "run": run.id,
        "added": added,
        "changed": changed,
        "removed": removed,
    }
    await connection.execute(_COUNT, values)


async def end(
    connection: AsyncConnection,
    job: Job,
    run: Begun,
    counts: Counts,
    state: RunState,
    *,
    reason: str = "",
    detail: str = "",
) -> None:
    """Ends a run, and says when the next one is due; raises `ClaimLostError`."""
    await hold(connection, job)
    values = {
        "tenant": job.tenant,
        "run": run.id,
        "state": state.value,
        "reason": reason,
        "detail": detail[:1000],
        "unchanged": counts.unchanged,
        "failed": counts.failed,
        "skipped": counts.skipped,
    }
    await connection.execute(_END, values)
    await schedule(connection, job.tenant, job.source)
    await connection.execute(_FORGET, {"tenant": job.tenant, "source": job.source, "kept": KEPT})


async def schedule(connection: AsyncConnection, tenant: UUID, source: UUID) -> None:
    """Says when a locked source is due, unless it is under way."""
    await connection.execute(_SCHEDULE, {"tenant": tenant, "source": source})


async def ask(connection: AsyncConnection, tenant: UUID, source: UUID, *, anew: bool) -> SourceRun:
    """Has a locked source run now; returns the run that waits by then."""
    values = {"tenant": tenant, "source": source, "anew": anew}
    run = to_run((await connection.execute(_ASK, values)).one())
    await schedule(connection, tenant, source)
    return run


async def page(
    connection: AsyncConnection, tenant: UUID, source: UUID, *, before: int, limit: int
) -> list[SourceRun]:
    """Returns runs, the newest first."""
    values = {"tenant": tenant, "source": source, "before": before, "limit": limit}
    return [to_run(row) for row in await connection.execute(_PAGE, values)]


def to_run(row: Any, prefix: str = "") -> SourceRun:
    """Returns a row of `source_runs`, whose columns' names begin with a prefix."""
    columns = row._mapping

    def of(name: str) -> Any:
        return columns[f"{prefix}{name}"]

    return SourceRun(
        id=of("id"),
        state=RunState(of("state")),
        reason=of("reason"),
        detail=of("detail"),
        counts=Counts(
            listed=of("listed"),
            added=of("added"),
            changed=of("changed"),
            unchanged=of("unchanged"),
            removed=of("removed"),
            failed=of("failed"),
            skipped=of("skipped"),
        ),
        incomplete=of("incomplete"),
        created=of("created"),
        started=of("started"),
        ended=of("ended"),
    )


async def _prolong(
    connection: AsyncConnection, job: Job, seconds: float, *, uncounted: int
) -> None:
    values = {
        "tenant": job.tenant,
        "source": job.source,
        "fence": job.fence,
        "seconds": seconds,
        "uncounted": uncounted,
    }
    if not (await connection.execute(_RENEW, values)).rowcount:
        raise ClaimLostError
