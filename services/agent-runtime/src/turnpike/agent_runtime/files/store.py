"""Files, in Postgres."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.files.model import File

_COLUMNS = "id, tenant, name, media_type, size, digest, created"
_MINE = "(CAST(:principal AS uuid) IS NULL OR principal = :principal)"
# Whoever dies before its bytes are kept leaves a row by which the sweep finds them.
_BEGIN = text(
    "INSERT INTO files (id, tenant, principal, name, media_type, size, digest, state, due) VALUES"
    " (:id, :tenant, :principal, :name, :media_type, :size, :digest, 'PENDING',"
    " statement_timestamp() + CAST(:patience AS interval))"
)
# The insertion holds the row: what it says is exact until the end of the transaction.
_STORED = text("SELECT bytes FROM stored_bytes WHERE tenant = :tenant")
_FINISH = text(
    "UPDATE files SET state = 'READY',"  # noqa: S608 # constants
    " due = statement_timestamp() + CAST(:retention AS interval)"
    f" WHERE id = :id AND state = 'PENDING' RETURNING {_COLUMNS}"
)
_GET = text(f"SELECT {_COLUMNS} FROM files WHERE id = :id AND state = 'READY' AND {_MINE}")  # noqa: S608 # constants
_LIST = text(
    f"SELECT {_COLUMNS} FROM files WHERE state = 'READY' AND {_MINE}"  # noqa: S608 # constants
    " AND (CAST(:created AS timestamptz) IS NULL OR (created, id) < (:created, :id))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)
# What is deleted may still be of a turn that is asked for again.
_NAMED = text(
    f"SELECT {_COLUMNS} FROM files WHERE id = ANY(:ids) AND state <> 'PENDING' AND {_MINE}"  # noqa: S608 # constants
)
_DELETE = text(
    "UPDATE files SET state = 'DELETED', due = statement_timestamp()"  # noqa: S608 # constants
    f" WHERE id = :id AND state = 'READY' AND {_MINE} RETURNING id"
)
# Of a thread that one may see, what it holds is to be seen too.
_HELD = text(
    f"SELECT {_COLUMNS} FROM files WHERE id = :id AND EXISTS (SELECT FROM thread_files h"  # noqa: S608 # constants
    f" JOIN threads t ON t.id = h.thread WHERE h.file = files.id AND NOT t.deleting AND"
    " (CAST(:principal AS uuid) IS NULL OR t.principal = :principal))"
)


async def begin_file(
    connection: AsyncConnection, file: File, *, principal: UUID, patience: timedelta
) -> int:
    """Says that a file's bytes are about to be kept; returns how many its tenant then has."""
    values = {
        "id": file.id,
        "tenant": file.tenant,
        "principal": principal,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "digest": file.digest,
        "patience": patience,
    }
    await connection.execute(_BEGIN, values)
    return await connection.scalar(_STORED, {"tenant": file.tenant}) or 0


async def finish_file(
    connection: AsyncConnection, file: UUID, *, retention: timedelta
) -> File | None:
    """Says that a file's bytes are kept; None when that took too long, and it was given up."""
    values = {"id": file, "retention": retention}
    return _one((await connection.execute(_FINISH, values)).one_or_none())


async def get_file(
    connection: AsyncConnection, file: UUID, *, principal: UUID | None
) -> File | None:
    """Returns a file; of `principal` only, unless None, or of a thread of theirs."""
    values = {"id": file, "principal": principal}
    found = _one((await connection.execute(_GET, values)).one_or_none())
    return found or _one((await connection.execute(_HELD, values)).one_or_none())


async def list_files(
    connection: AsyncConnection,
    *,
    principal: UUID | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[File]:
    """Returns files, newest first, older than `before`."""
    created, last = before or (None, None)
    values = {"principal": principal, "created": created, "id": last, "limit": limit}
    return [_file(row) for row in await connection.execute(_LIST, values)]


async def named_files(
    connection: AsyncConnection, files: Sequence[UUID], *, principal: UUID | None
) -> dict[UUID, File]:
    """Returns files by their ids, deleted ones too as long as a thread holds them."""
    rows = await connection.execute(_NAMED, {"ids": list(files), "principal": principal})
    return {row.id: _file(row) for row in rows}


async def delete_file(connection: AsyncConnection, file: UUID, *, principal: UUID | None) -> bool:
    """Hides a file for ever; says whether it was there."""
    values = {"id": file, "principal": principal}
    return (await connection.execute(_DELETE, values)).one_or_none() is not None


def _one(row: Any) -> File | None:
    return _file(row) if row else None


def _file(row: Any) -> File:
    return File(**row._mapping)  # SQLAlchemy's documented accessor
