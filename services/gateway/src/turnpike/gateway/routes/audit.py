"""What was said, decided and done: page by page, or all of it as NDJSON."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from turnpike.api.agent_runtime.v1 import audit_service_pb2 as pb
from turnpike.api.agent_runtime.v1.audit_service_pb2_grpc import AuditServiceStub
from turnpike.gateway.routes.parameters import PageSize, PageToken
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply

_NDJSON = "application/x-ndjson"
_PAGE = 500

After = Annotated[int, Query(ge=0, lt=2**63, description="Only what comes after this position.")]
Turn = Annotated[str, Query(max_length=64, description="Only what is about this turn.")]


class AuditEntry(Reply):
    """One thing that was said, decided or done."""

    position: int = Field(description="Its place in the chain, from 1; 0 while it has none.")
    hash: str
    entry: dict[str, Any] | None = Field(description="Null where a seal's entry is gone.")


class AuditAnchor(Reply):
    """Where a chain begins whose oldest entries were deleted."""

    position: int = Field(description="The last place that is gone.")
    hash: str


class AuditPage(Reply):
    """A page of entries, in the order of the chain."""

    entries: list[AuditEntry]
    next_page_token: str
    anchor: AuditAnchor | None = Field(
        description="Where the chain goes on, if what comes before this page was deleted."
    )


class AuditRoutes:
    """`/api/v1/audit`."""

    def __init__(self, audit: AuditServiceStub) -> None:
        self._audit = audit

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/audit",
            self.list_entries,
            methods=["GET"],
            response_model=AuditPage,
            responses=problems(),
        )
        router.add_api_route(
            "/api/v1/audit:export",
            self.export,
            methods=["GET"],
            response_model=None,
            responses=problems()
            | {
                200: {
                    "description": "One entry a line, in the order of the chain; a line with"
                    " `anchor` where it begins, or goes on, if what was before is deleted.",
                    "content": {_NDJSON: {"schema": {"type": "string"}}},
                }
            },
        )
        return router

    async def list_entries(
        self,
        call: CurrentCall,
        page_size: PageSize = 50,
        page_token: PageToken = "",
        after: After = 0,
        turn: Turn = "",
    ) -> Response:
        """Lists what is recorded: sealed entries, then those that are not sealed yet."""
        request = pb.ListAuditEntriesRequest(
            page_size=page_size, page_token=page_token, after_position=after, turn=turn
        )
        page = await call.read(self._audit.ListAuditEntries, request)
        return reply(
            AuditPage(
                entries=[_entry(each) for each in page.entries],
                next_page_token=page.next_page_token,
                anchor=(
                    AuditAnchor(position=page.anchor.position, hash=page.anchor.hash)
                    if page.HasField("anchor")
                    else None
                ),
            )
        )

    async def export(self, call: CurrentCall, after: After = 0) -> Response:
        """Returns all of it; `turnpike audit verify` reads this."""
        request = pb.ListAuditEntriesRequest(page_size=_PAGE, after_position=after)
        # Whoever may not have it is told so, and not in the middle of it.
        first = await call.read(self._audit.ListAuditEntries, request)

        async def lines() -> AsyncGenerator[bytes]:
            page = first
            while True:
                yield _beginning(page) + b"".join(map(_line, page.entries))
                if not page.next_page_token:
                    return
                request.page_token = page.next_page_token
                page = await call.read(self._audit.ListAuditEntries, request)

        return StreamingResponse(lines(), media_type=_NDJSON)


def _entry(entry: pb.AuditEntry) -> AuditEntry:
    return AuditEntry(
        position=entry.position,
        hash=entry.hash,
        entry=orjson.loads(entry.entry) if entry.entry else None,
    )


def _beginning(page: pb.ListAuditEntriesResponse) -> bytes:
    if not page.HasField("anchor"):
        return b""
    anchor = {"position": page.anchor.position, "hash": page.anchor.hash}
    return orjson.dumps({"anchor": anchor}, option=orjson.OPT_APPEND_NEWLINE)


def _line(entry: pb.AuditEntry) -> bytes:
    return orjson.dumps(
        {
            "position": entry.position,
            "hash": entry.hash,
            "entry": orjson.Fragment(entry.entry or "null"),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
