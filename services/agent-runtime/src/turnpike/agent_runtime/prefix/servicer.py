"""Serves turnpike.api.agent_runtime.v1.PrefixService."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from turnpike.agent_runtime.callers import person_of
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.prefix.listing import SessionRow, Sessions
from turnpike.api.agent_runtime.v1 import prefix_service_pb2 as pb
from turnpike.api.agent_runtime.v1.prefix_service_pb2_grpc import PrefixServiceServicer
from turnpike.rpc.paging import cursor_of, moment, page_size, page_token, text
from turnpike.rpc.served import Context


class PrefixServicer(PrefixServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.PrefixService."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def ListPrefixSessions(
        self, request: pb.ListPrefixSessionsRequest, context: Context
    ) -> pb.ListPrefixSessionsResponse:
        size = page_size(request.page_size)
        rows = await self._sessions.page(
            person_of(context, least="admin").tenant,
            thread=_identifier(request.thread),
            before=cursor_of(request.page_token, moment, text),
            limit=size + 1,
        )
        last = rows[size - 1] if len(rows) > size else None
        return pb.ListPrefixSessionsResponse(
            sessions=[_session(row) for row in rows[:size]],
            next_page_token=page_token(last.touched, last.session) if last else "",
        )


def _identifier(thread: str) -> UUID | None:
    try:
        return UUID(thread) if thread else None
    except ValueError:
        raise NotFoundError("thread", thread) from None


def _session(row: SessionRow) -> pb.PrefixSession:
    session = pb.PrefixSession(
        session=row.session,
        thread=str(row.thread) if row.thread else "",
        model=row.model,
        epoch=row.epoch,
        revision=row.revision,
        length=row.count,
        bytes=row.bytes,
        context_tokens=row.sent_tokens,
        predicted_tokens=row.last_predicted,
        cached_tokens=row.last_reported,
        hit_share=row.reported_tokens / row.prompt_tokens if row.prompt_tokens else 0.0,
        last_outcome=row.last_outcome,
        last_miss=row.last_miss,
        difference=pb.PrefixDifference(**row.difference) if row.difference else None,
        in_flight=row.in_flight,
        evicted=row.evicted,
        boundaries=[_boundary(each) for each in row.boundaries],
        create_time=row.created,
        update_time=row.touched,
    )
    if row.first_delta_ms is not None:
        session.first_delta.FromTimedelta(timedelta(milliseconds=row.first_delta_ms))
    return session


def _boundary(stored: Mapping[str, Any]) -> pb.PrefixBoundary:
    return pb.PrefixBoundary(
        label=stored["label"],
        epoch=stored["epoch"],
        revision=stored["revision"],
        length=stored["count"],
        bytes=stored["bytes"],
        chain=stored["chain"],
        context_tokens=stored.get("context", 0),
        predicted_tokens=stored.get("predicted", 0),
        cached_tokens=stored.get("cached"),
        first_delta_ms=stored.get("first_delta_ms", 0),
        miss=stored.get("miss", ""),
        time=stored["time"],
    )
