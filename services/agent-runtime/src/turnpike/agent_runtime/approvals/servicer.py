"""Serves turnpike.api.agent_runtime.v1.ApprovalService."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from turnpike.agent_runtime.approvals.conversion import (
    approval_to_proto,
    identifier,
    selection_from_proto,
    submission_from_proto,
    viewer_of,
)
from turnpike.agent_runtime.approvals.deciding import Decider
from turnpike.agent_runtime.approvals.inbox import Inbox
from turnpike.agent_runtime.cursors import Cursors
from turnpike.api.agent_runtime.v1 import approval_service_pb2 as pb
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceServicer
from turnpike.rpc.identity import require_role
from turnpike.rpc.paging import number, page_size
from turnpike.rpc.served import Context, caller_of


class ApprovalServicer(ApprovalServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.ApprovalService."""

    def __init__(self, decider: Decider, inbox: Inbox, cursors: Cursors) -> None:
        self._decider = decider
        self._inbox = inbox
        self._cursors = cursors

    async def GetApproval(
        self, request: pb.GetApprovalRequest, context: Context
    ) -> pb.GetApprovalResponse:
        viewer = viewer_of(caller_of(context))
        approval = await self._inbox.get(viewer, identifier(request.id))
        return pb.GetApprovalResponse(approval=approval_to_proto(approval, viewer))

    async def ListApprovals(
        self, request: pb.ListApprovalsRequest, context: Context
    ) -> pb.ListApprovalsResponse:
        viewer, size = viewer_of(caller_of(context)), page_size(request.page_size)
        cursor = self._cursors.cursor(viewer.tenant, request.page_token, number)
        found = await self._inbox.page(
            viewer,
            selection_from_proto(request),
            before=cursor[0] if cursor else None,
            limit=size + 1,
        )
        more = len(found) > size
        return pb.ListApprovalsResponse(
            approvals=[approval_to_proto(each, viewer) for each in found[:size]],
            next_page_token=(
                self._cursors.token(viewer.tenant, found[size - 1].position) if more else ""
            ),
        )

    async def WatchInbox(
        self, request: pb.WatchInboxRequest, context: Context
    ) -> AsyncGenerator[pb.WatchInboxResponse]:
        async with aclosing(self._inbox.watch(viewer_of(caller_of(context)))) as counts:
            async for waiting in counts:
                yield pb.WatchInboxResponse(
                    pending=waiting.pending,
                    mine=waiting.mine,
                    newest=str(waiting.newest or ""),
                )

    async def Decide(self, request: pb.DecideRequest, context: Context) -> pb.DecideResponse:
        caller = caller_of(context)
        require_role(caller, "member")
        viewer = viewer_of(caller)
        approval = await self._decider.decide(viewer, submission_from_proto(request))
        return pb.DecideResponse(approval=approval_to_proto(approval, viewer))
