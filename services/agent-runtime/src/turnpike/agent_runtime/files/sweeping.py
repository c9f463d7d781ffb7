"""Forgetting files that nobody holds any more."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.files.model import blob_of
from turnpike.blobs.model import BlobStore, BlobsUnavailableError
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction

_SWEEP_SECONDS = 15.0
_MOST_AT_ONCE = 100
_HELD = "EXISTS (SELECT FROM thread_files h WHERE h.file = f.id)"
# Locked first, judged by a later statement: a turn that was about to hold one has committed by
# then, and is seen; one that comes after finds it deleted.
_DUE = text(
    "SELECT id FROM files WHERE due < statement_timestamp()"
    " ORDER BY due LIMIT :most FOR UPDATE SKIP LOCKED"
)
_KEEP = text(
    f"UPDATE files f SET due = NULL WHERE id = ANY(:ids) AND {_HELD}"  # noqa: S608 # a constant
)
# Another sweep looks again if this one dies before the bytes are gone.
_DOOM = text(
    "UPDATE files f SET state = 'DELETED',"  # noqa: S608 # a constant
    " due = statement_timestamp() + interval '1 minute'"
    f" WHERE id = ANY(:ids) AND NOT {_HELD} RETURNING id, tenant, digest"
)
# In the order of `hold_files`: a turn may want some of them, and is to find that they are gone.
_FORGET = text(
    "DELETE FROM files WHERE id IN (SELECT id FROM files WHERE id = ANY(:ids)"
    " AND state = 'DELETED' ORDER BY id FOR UPDATE)"
)


async def sweep(engine: AsyncEngine, blobs: BlobStore) -> int:
    """Deletes files that are due and that no thread holds, bytes first; returns how many.

    Args:
        engine: As the system role.
        blobs: Where the bytes are.
    """
    async with system_transaction(engine) as connection:
        due = list((await connection.scalars(_DUE, {"most": _MOST_AT_ONCE})).all())
        if not due:
            return 0
        await connection.execute(_KEEP, {"ids": due})
        doomed = (await connection.execute(_DOOM, {"ids": due})).all()
    for each in doomed:
        # They are this file's alone, and its row never comes back: however late this is, it
        # takes nothing that anybody holds.
        await blobs.delete(blob_of(each.tenant, each.digest, each.id))
    async with system_transaction(engine) as connection:
        await connection.execute(_FORGET, {"ids": [each.id for each in doomed]})
    return len(doomed)


async def sweep_forever(engine: AsyncEngine, blobs: BlobStore) -> None:
    """Sweeps until cancelled."""
    await sweep_every(
        _SWEEP_SECONDS,
        lambda: sweep(engine, blobs),
        later="files are deleted later",
        spared=(BlobsUnavailableError,),
    )
