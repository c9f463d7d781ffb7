"""The prefix ledger, as admins see it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from turnpike.api.agent_runtime.v1 import prefix_service_pb2 as pb
from turnpike.api.agent_runtime.v1.prefix_service_pb2_grpc import PrefixServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time

Thread = Annotated[str, Query(max_length=64, description="Only the one of this thread.")]


class Difference(Reply):
    """Where two histories part: element 0 is the tools, 1 the first message."""

    element: int
    kind: str
    offset: int
    ledger: str
    request: str


class Boundary(Reply):
    """One commit of a session."""

    label: str
    epoch: int
    revision: int
    length: int
    bytes: int
    chain: str
    context_tokens: int
    predicted_tokens: int
    cached_tokens: int | None
    first_delta_ms: int
    miss: str | None
    time: str


class PrefixSession(Reply):
    """What of a conversation's prompts caches should have had, had, and missed."""

    session: str
    thread: str | None
    model: str
    epoch: int
    revision: int
    length: int
    bytes: int
    context_tokens: int
    predicted_tokens: int
    cached_tokens: int | None
    hit_share: float
    first_delta_ms: int | None
    last_outcome: str
    last_miss: str | None
    difference: Difference | None
    in_flight: bool
    evicted: bool
    boundaries: list[Boundary]
    created: Time
    updated: Time


class PrefixSessionPage(Reply):
    """A page of sessions, the last used first."""

    sessions: list[PrefixSession]
    next_page_token: str


class PrefixSessionRoutes:
    """`/admin/sessions`."""

    def __init__(self, sessions: PrefixServiceStub) -> None:
        self._sessions = sessions

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/admin/sessions",
            self.list_sessions,
            methods=["GET"],
            response_model=PrefixSessionPage,
            responses=problems(404),
        )
        return router

    async def list_sessions(self, call: CurrentCall, page: Page, thread: Thread = "") -> Response:
        """Lists the prefix ledger's sessions, the last used first; for admins."""
        request = pb.ListPrefixSessionsRequest(thread=thread, **page)
        response = await call.read(self._sessions.ListPrefixSessions, request)
        sessions = [_session(each) for each in response.sessions]
        return reply(PrefixSessionPage(sessions=sessions, next_page_token=response.next_page_token))


def _session(session: pb.PrefixSession) -> PrefixSession:
    delay = session.first_delta
    found = session.difference
    return PrefixSession(
        session=session.session,
        thread=session.thread or None,
        model=session.model,
        epoch=session.epoch,
        revision=session.revision,
        length=session.length,
        bytes=session.bytes,
        context_tokens=session.context_tokens,
        predicted_tokens=session.predicted_tokens,
        cached_tokens=_given(session),
        hit_share=session.hit_share,
        first_delta_ms=delay.ToMilliseconds() if session.HasField("first_delta") else None,
        last_outcome=session.last_outcome,
        last_miss=session.last_miss or None,
        difference=_difference(found) if session.HasField("difference") else None,
        in_flight=session.in_flight,
        evicted=session.evicted,
        boundaries=[_boundary(each) for each in session.boundaries],
        created=rfc3339(session.create_time),
        updated=rfc3339(session.update_time),
    )


def _difference(found: pb.PrefixDifference) -> Difference:
    return Difference(
        element=found.element,
        kind=found.kind,
        offset=found.offset,
        ledger=found.ledger,
        request=found.request,
    )


def _boundary(boundary: pb.PrefixBoundary) -> Boundary:
    return Boundary(
        label=boundary.label,
        epoch=boundary.epoch,
        revision=boundary.revision,
        length=boundary.length,
        bytes=boundary.bytes,
        chain=boundary.chain,
        context_tokens=boundary.context_tokens,
        predicted_tokens=boundary.predicted_tokens,
        cached_tokens=_given(boundary),
        first_delta_ms=boundary.first_delta_ms,
        miss=boundary.miss or None,
        time=boundary.time,
    )


def _given(message: Any) -> int | None:
    return message.cached_tokens if message.HasField("cached_tokens") else None
