"""What turns ask of people, and what people decide."""

from typing import Annotated, Any, Literal
from uuid import uuid4

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from turnpike.api.agent_runtime.v1 import approval_pb2
from turnpike.api.agent_runtime.v1 import approval_service_pb2 as pb
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.gateway.approval_documents import STATUSES, approval_document
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.requests import idempotency_key
from turnpike.gateway.routes import shapes
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, raw_reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Instant, Reply, Text, Time, in_utc

Kind = Literal[
    "approve",
    "edit",
    "respond",
    "reject",
    "approve_always",
    "answer",
    "verify",
    "done",
    "not_done",
    "run_again",
]
Status = Literal["PENDING", "DECIDED", "EXPIRED", "CANCELLED"]
Long = Annotated[Text, Field(max_length=100_000)]

_STATUSES = [name for value, name in STATUSES.items() if value]
_NO_STORE = {"cache-control": "no-store"}


class Decision(shapes.Request):
    """What is said of one call."""

    call_id: Annotated[Text, Field(min_length=1, max_length=64)]
    kind: Kind
    arguments: dict[str, Any] | None = Field(
        default=None,
        description="For `edit`: what the call runs with. For `answer`: answers by question.",
    )
    text: Long = Field(
        default="", description="For `respond`: the result. For `answer`: of one question."
    )
    feedback: Long = Field(default="", description="For `reject`: what the model is told.")
    scope: dict[str, Any] | None = Field(
        default=None,
        description="For `approve_always`: which arguments it is for, by JSON pointers to them:"
        ' texts with `*` for anything, such as `{"/path": "/tmp/*"}`.',
    )
    expires: Instant | None = Field(default=None, description="For `approve_always`: until when.")


class Decisions(shapes.Request):
    """What is decided: one for each call."""

    decisions: Annotated[list[Decision], Field(min_length=1, max_length=500)]


class AskedCall(Reply):
    """A call that somebody is asked about."""

    call_id: str
    name: str
    arguments: dict[str, Any] | str
    reason: str
    allowed: list[Kind]


class Question(Reply):
    """One thing that somebody is asked."""

    call_id: str
    id: str
    header: str | None
    text: str
    options: list[str]
    multiple: bool
    schema_: Any = Field(alias="schema", description="The JSON Schema of the answer, if any.")
    default: Any
    url: str | None


class Decided(Reply):
    """What somebody said of one call."""

    call_id: str
    kind: Kind
    arguments: Any = None
    text: str = ""
    feedback: str = ""
    scope: Any = None
    expires: Time | None = None
    decided_by: str | None
    decided_at: Time | None = None


class Approval(Reply):
    """What a turn waits for."""

    id: str
    turn: str
    thread: str
    agent: str
    requester: str
    status: Status
    calls: list[AskedCall]
    questions: list[Question]
    decisions: list[Decided]
    decided_by: str | None
    decided_at: Time | None
    expires: Time
    quorum: int
    incremental: bool
    may_decide: bool
    escalated: bool
    created: Time


class ApprovalPage(Reply):
    """A page of approvals, newest first."""

    approvals: list[Approval]
    next_page_token: str


class ApprovalRoutes:
    """`/api/v1/approvals`."""

    def __init__(self, approvals: ApprovalServiceStub) -> None:
        self._approvals = approvals

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/approvals",
            self.list_approvals,
            methods=["GET"],
            response_model=ApprovalPage,
            responses=problems(404),
        )
        router.add_api_route(
            "/api/v1/approvals/{approval:name}",
            self.get_approval,
            methods=["GET"],
            response_model=Approval,
            responses=problems(404),
        )
        router.add_api_route(
            "/api/v1/approvals/{approval:name}:decide",
            self.decide,
            methods=["POST"],
            response_model=Approval,
            responses=problems(404, 409, 413, 415, 422),
        )
        return router

    async def list_approvals(
        self,
        call: CurrentCall,
        page: Page,
        status: Annotated[
            list[str],
            Query(
                max_length=64,
                description="Only approvals in one of these; several, or one with commas.",
                json_schema_extra={"items": {"type": "string", "enum": list(Status.__args__)}},
            ),
        ] = [],  # noqa: B006 # FastAPI copies it
        thread: Annotated[str, Query(max_length=64, description="Only of this thread.")] = "",
        agent: Annotated[str, Query(max_length=64, description="Only of this agent.")] = "",
        mine: Annotated[bool, Query(description="Only what the caller may decide.")] = False,
        tool: Annotated[
            str, Query(max_length=256, description="Only of this `connector/tool`; `*` is any.")
        ] = "",
        requester: Annotated[
            str, Query(max_length=64, description="Only of turns that this principal started.")
        ] = "",
        created_before: Annotated[
            Instant | None, Query(description="Only what waits since before this.")
        ] = None,
        created_after: Annotated[
            Instant | None, Query(description="Only what waits since this, or later.")
        ] = None,
        expires_before: Annotated[
            Instant | None, Query(description="Only what expires before this.")
        ] = None,
    ) -> Response:
        """Lists approvals that the caller may see, newest first."""
        request = pb.ListApprovalsRequest(
            **page,
            statuses=_statuses(status),
            thread=thread,
            agent=agent,
            mine=mine,
            tool=tool,
            requester=requester,
            created_before=in_utc("created_before", created_before),
            created_after=in_utc("created_after", created_after),
            expires_before=in_utc("expires_before", expires_before),
        )
        response = await call.read(self._approvals.ListApprovals, request)
        page = {
            "approvals": [approval_document(each) for each in response.approvals],
            "next_page_token": response.next_page_token,
        }
        return raw_reply(orjson.dumps(page), headers=_NO_STORE)

    async def get_approval(self, call: CurrentCall, approval: str) -> Response:
        """Returns an approval as it stands."""
        response = await call.read(self._approvals.GetApproval, pb.GetApprovalRequest(id=approval))
        return raw_reply(orjson.dumps(approval_document(response.approval)), headers=_NO_STORE)

    async def decide(
        self, call: CurrentCall, request: Request, approval: str, body: Decisions
    ) -> Response:
        """Decides: all calls at once, or none of them."""
        # A request that was given its id here may be sent again to another replica.
        wanted = pb.DecideRequest(
            approval=approval,
            decisions=[_message(index, each) for index, each in enumerate(body.decisions)],
            request_id=idempotency_key(request.scope) or f"gateway-{uuid4()}",
        )
        response = await call.read(self._approvals.Decide, wanted)
        return raw_reply(orjson.dumps(approval_document(response.approval)))


def _message(index: int, said: Decision) -> approval_pb2.Decision:
    arguments = "" if said.arguments is None else orjson.dumps(said.arguments).decode()
    return approval_pb2.Decision(
        call_id=said.call_id,
        kind=f"DECISION_KIND_{said.kind.upper()}",
        arguments=arguments,
        text=said.text,
        feedback=said.feedback,
        scope="" if said.scope is None else orjson.dumps(said.scope).decode(),
        expires=in_utc(f"decisions[{index}].expires", said.expires),
    )


def _statuses(given: list[str]) -> list[str]:
    names = [name.strip() for each in given for name in each.split(",") if name.strip()]
    for name in names:
        if name not in _STATUSES:
            raise invalid_field("status", f"{name!r} is none of {', '.join(_STATUSES)}")
    return [f"APPROVAL_STATUS_{name}" for name in names]
