"""Threads, in Postgres."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.threads.model import Exchange, Message, Thread

_COLUMNS = "id, title, metadata, temporary, created, updated"
_MY = "(CAST(:principal AS uuid) IS NULL OR principal = :principal)"
_MINE = f"NOT deleting AND {_MY}"
_CREATE = text(
    "INSERT INTO threads (id, tenant, principal, title, metadata, temporary) VALUES"  # noqa: S608 # constants
    f" (:id, :tenant, :principal, :title, CAST(:metadata AS jsonb), :temporary)"
    f" RETURNING {_COLUMNS}"
)
# Of a session there is one, whoever of two came first.
_CREATE_OF_SESSION = text(
    "INSERT INTO threads (id, tenant, principal, title, metadata, temporary, session) VALUES"  # noqa: S608 # constants
    " (:id, :tenant, :principal, :title, CAST(:metadata AS jsonb), :temporary, :session)"
    " ON CONFLICT (tenant, principal, session) WHERE session IS NOT NULL AND NOT deleting"
    f" DO UPDATE SET updated = statement_timestamp() RETURNING {_COLUMNS}"
)
_GET = text(f"SELECT {_COLUMNS} FROM threads WHERE id = :id AND {_MINE}")  # noqa: S608 # constants
_LIST = text(
    f"SELECT {_COLUMNS} FROM threads WHERE NOT temporary AND {_MINE}"  # noqa: S608 # constants
    " AND (CAST(:created AS timestamptz) IS NULL OR (created, id) < (:created, :id))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)
_UPDATE = text(
    "UPDATE threads SET title = coalesce(:title, title),"  # noqa: S608 # constants
    " metadata = coalesce(CAST(:metadata AS jsonb), metadata), updated = statement_timestamp()"
    f" WHERE id = :id AND {_MINE} RETURNING {_COLUMNS}"
)
# From here on no turn can be claimed in it. Closing it again is no error: who
# deletes it may have died before the end. Since when tells the sweep that this is so.
_CLOSE = text(
    "UPDATE threads SET deleting = true, updated = statement_timestamp()"  # noqa: S608 # constants
    f" WHERE id = :id AND {_MY} RETURNING id"
)
_OPEN_TURNS = text(
    "SELECT id FROM turns WHERE thread = :id AND status IN ('QUEUED', 'RUNNING', 'WAITING')"
    " ORDER BY position DESC"
)
_DELETE = text("DELETE FROM threads WHERE id = :id AND deleting")
# What was refused was never said; what is being said is not stored yet.
_EXCHANGES = text(
    "SELECT t.id, t.position, t.input, t.status, t.created, t.finished,"
    " (SELECT json_agg(s.reply ->> 'text' ORDER BY s.step) FROM steps s"
    "  WHERE s.turn = t.id AND s.reply ->> 'text' <> '') AS said"
    " FROM turns t WHERE t.thread = :thread AND t.status <> 'REFUSED' AND t.position > :after"
    " AND t.input->0->>'type' IS DISTINCT FROM 'call'"
    " ORDER BY t.position LIMIT :limit"
)


async def create_thread(
    connection: AsyncConnection,
    *,
    tenant: UUID,
    principal: UUID,
    title: str,
    metadata: Mapping[str, str],
    temporary: bool,
    session: str = "",
) -> Thread:
    """Stores a new thread; returns the one of `session` as it is, if there is one."""
    values = {
        "id": uuid4(),
        "tenant": tenant,
        "principal": principal,
        "title": title,
        "metadata": _json(metadata),
        "temporary": temporary,
    }
    if session:
        statement, values = _CREATE_OF_SESSION, values | {"session": session}
    else:
        statement = _CREATE
    return _thread((await connection.execute(statement, values)).one())


async def get_thread(
    connection: AsyncConnection, thread: UUID, *, principal: UUID | None
) -> Thread | None:
    """Returns a thread; of `principal` only, unless None."""
    row = (await connection.execute(_GET, {"id": thread, "principal": principal})).one_or_none()
    return _thread(row) if row else None


async def list_threads(
    connection: AsyncConnection,
    *,
    principal: UUID | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Thread]:
    """Returns threads, newest first, older than `before`."""
    created, last = before or (None, None)
    values = {"principal": principal, "created": created, "id": last, "limit": limit}
    return [_thread(row) for row in await connection.execute(_LIST, values)]


async def update_thread(
    connection: AsyncConnection,
    thread: UUID,
    *,
    principal: UUID | None,
    title: str | None,
    metadata: Mapping[str, str] | None,
) -> Thread | None:
    """Changes what is not None; returns the thread, if there is one."""
    values = {
        "id": thread,
        "principal": principal,
        "title": title,
        "metadata": None if metadata is None else _json(metadata),
    }
    row = (await connection.execute(_UPDATE, values)).one_or_none()
    return _thread(row) if row else None


async def close_thread(
    connection: AsyncConnection, thread: UUID, *, principal: UUID | None
) -> list[UUID] | None:
    """Lets no further turn into a thread; returns the open ones, newest first, if it exists."""
    found = await connection.scalar(_CLOSE, {"id": thread, "principal": principal})
    if found is None:
        return None
    return list((await connection.scalars(_OPEN_TURNS, {"id": thread})).all())


async def delete_thread(connection: AsyncConnection, thread: UUID) -> None:
    """Deletes a closed thread with all that is in it."""
    await connection.execute(_DELETE, {"id": thread})


async def exchanges(
    connection: AsyncConnection, thread: UUID, *, after: int, limit: int
) -> list[Exchange]:
    """Returns what was said in a thread's turns after position `after`, oldest first."""
    rows = await connection.execute(_EXCHANGES, {"thread": thread, "after": after, "limit": limit})
    return [_exchange(row) for row in rows]


def _exchange(row: Any) -> Exchange:
    asked = Message(
        id=f"{row.id}-user",
        role="user",
        parts=row.input,
        turn=row.id,
        unfinished=False,
        created=row.created,
    )
    return Exchange(position=row.position, asked=asked, answered=_answer(row))


def _answer(row: Any) -> Message | None:
    ended = row.finished is not None
    if not ended or not (row.said or row.status == "COMPLETED"):
        return None
    return Message(
        id=f"{row.id}-assistant",
        role="assistant",
        parts=[{"type": "text", "text": said} for said in row.said or [""]],
        turn=row.id,
        unfinished=row.status != "COMPLETED",
        created=row.finished,
    )


def _thread(row: Any) -> Thread:
    return Thread(**row._mapping)  # SQLAlchemy's documented accessor


def _json(metadata: Mapping[str, str]) -> str:
    return orjson.dumps(dict(metadata)).decode()
