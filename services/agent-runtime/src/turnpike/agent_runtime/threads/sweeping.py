"""Finishing deletions of threads that were broken off: whoever began them is gone."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction

_SWEEP_SECONDS = 15.0
# Longer than anybody waits for the end of the turns in a thread that is being deleted.
_BROKEN_OFF_AFTER = timedelta(minutes=2)
_MOST_AT_ONCE = 100
_OPEN = "status IN ('QUEUED', 'RUNNING', 'WAITING')"
# Two sweeps take different threads. The order of locks is the thread, then its turns, then the
# files that it holds. A commit that has its turn by then may still name the thread, whose key
# stays as it is.
_CLOSED = text(
    "SELECT id FROM threads"
    " WHERE deleting AND updated < statement_timestamp() - CAST(:age AS interval)"
    " ORDER BY updated LIMIT :most FOR NO KEY UPDATE SKIP LOCKED"
)
# As `cancel_turn` does it: an owner finds it with its lease's next renewal. By their positions,
# as whoever else locks several turns.
_CANCEL = text(
    "UPDATE turns SET desired = 'cancel',"  # noqa: S608 # a constant
    " due_at = CASE WHEN owner IS NULL THEN statement_timestamp() ELSE due_at END"
    " WHERE id IN (SELECT id FROM turns"
    f" WHERE thread = ANY(:threads) AND {_OPEN} AND desired <> 'cancel'"
    " ORDER BY position FOR NO KEY UPDATE)"
)
# Those of all threads in one order: deleting one lets go of its own alone.
_LOCK_FILES = text(
    "SELECT FROM files WHERE id IN (SELECT file FROM thread_files WHERE thread = ANY(:threads))"
    " ORDER BY id FOR NO KEY UPDATE"
)
_DELETE = text(
    "DELETE FROM threads t WHERE id = ANY(:threads)"  # noqa: S608 # a constant
    f" AND NOT EXISTS (SELECT FROM turns WHERE thread = t.id AND {_OPEN})"
    " RETURNING id"
)


async def sweep(engine: AsyncEngine) -> int:
    """Cancels what runs in threads whose deletion was broken off; deletes those at rest.

    Args:
        engine: As the system role.

    Returns:
        How many threads were deleted.
    """
    async with system_transaction(engine) as connection:
        values = {"age": _BROKEN_OFF_AFTER, "most": _MOST_AT_ONCE}
        threads = list((await connection.scalars(_CLOSED, values)).all())
        if not threads:
            return 0
        await connection.execute(_CANCEL, {"threads": threads})
        await connection.execute(_LOCK_FILES, {"threads": threads})
        return len((await connection.execute(_DELETE, {"threads": threads})).all())


async def sweep_forever(engine: AsyncEngine) -> None:
    """Sweeps until cancelled."""
    await sweep_every(_SWEEP_SECONDS, lambda: sweep(engine), later="threads are deleted later")
