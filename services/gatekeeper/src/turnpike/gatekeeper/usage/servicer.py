"""UsageService: the wire's messages to gatekeeper's values, and back."""

from uuid import UUID

from turnpike.api.gatekeeper.v1 import usage_service_pb2 as pb
from turnpike.api.gatekeeper.v1.usage_service_pb2_grpc import UsageServiceServicer
from turnpike.gatekeeper.usage.messages import (
    asked_of,
    dimensions_of,
    entry_message,
    key_of,
    report_message,
)
from turnpike.gatekeeper.usage.reports import Reports
from turnpike.rpc.paging import cursor_of, moment, page_size, page_token
from turnpike.rpc.served import Context, caller_of


class UsageServicer(UsageServiceServicer):
    """Serves turnpike.api.gatekeeper.v1.UsageService."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def ReportUsage(
        self, request: pb.ReportUsageRequest, context: Context
    ) -> pb.ReportUsageResponse:
        by, size = dimensions_of(request), page_size(request.page_size)
        report = await self._reports.report(
            caller_of(context),
            asked_of(request.filter),
            by,
            key_of(request.page_token, by),
            size + 1,
        )
        return report_message(report, size)

    async def ListUsage(
        self, request: pb.ListUsageRequest, context: Context
    ) -> pb.ListUsageResponse:
        size = page_size(request.page_size)
        entries = await self._reports.entries(
            caller_of(context),
            asked_of(request.filter, request.turn),
            cursor_of(request.page_token, moment, UUID),
            size + 1,
        )
        more = len(entries) > size
        return pb.ListUsageResponse(
            entries=map(entry_message, entries[:size]),
            next_page_token=page_token(entries[size - 1].created, entries[size - 1].id)
            if more
            else "",
        )
