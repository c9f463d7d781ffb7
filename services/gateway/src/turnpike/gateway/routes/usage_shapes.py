"""What usage looks like."""

from typing import Any

from fastapi import Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as gatekeeper_pb
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as pb
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.replies import raw_reply, time_of
from turnpike.gateway.routes.shapes import Reply, Time

_KINDS = {
    value: name.removeprefix("USAGE_KIND_") for name, value in gatekeeper_pb.UsageKind.items()
}


class UsagePart(Reply):
    """That part of a sum which deserves a second look."""

    entries: int
    tokens: int
    cost_micro_usd: int


class UsageSum(Reply):
    """Entries of the ledger, added up."""

    entries: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_micro_usd: int
    default_priced: UsagePart
    estimated: UsagePart
    own_key: UsagePart


class UsageRow(Reply):
    """A line of a report; what it does not tell apart is null."""

    tenant: str | None
    principal: str | None
    agent: str | None
    model: str | None
    period: Time | None
    sum: UsageSum


class UsageReport(Reply):
    """What was used between two times; the total is that of all pages."""

    begins: Time = Field(alias="from")
    ends: Time = Field(alias="to")
    rows: list[UsageRow]
    total: UsageSum
    next_page_token: str


class UsageEntry(Reply):
    """A line of the ledger."""

    tenant: str
    turn: str
    step: int
    call: int
    attempt: int
    principal: str
    agent: str
    model: str
    kind: str
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_micro_usd: int
    default_priced: bool
    estimated: bool
    own_key: bool
    created: Time


class EntryPage(Reply):
    """A page of entries, newest first."""

    entries: list[UsageEntry]
    next_page_token: str


def report_reply(report: pb.ReportUsageResponse, by: set[str]) -> Response:
    """Answers a report; a row has the keys that it is told apart by."""
    document = UsageReport.model_validate(
        {
            "from": rfc3339(report.from_time),
            "to": rfc3339(report.to_time),
            "rows": [_row(each, by) for each in report.rows],
            "total": _sum(report.total),
            "next_page_token": report.next_page_token,
        }
    )
    return raw_reply(document.model_dump_json(by_alias=True).encode())


def _row(row: pb.UsageRow, by: set[str]) -> UsageRow:
    keys = {
        name: getattr(row, name) if name in by else None
        for name in ("tenant", "principal", "agent", "model")
    }
    return UsageRow(**keys, period=time_of(row, "period"), sum=_sum(row.sum))


def _sum(sum: pb.UsageSum) -> UsageSum:
    counts: dict[str, Any] = {
        name: getattr(sum, name)
        for name, field in UsageSum.model_fields.items()
        if field.annotation is int
    }
    return UsageSum(
        **counts,
        default_priced=_part(sum.default_priced),
        estimated=_part(sum.estimated),
        own_key=_part(sum.own_key),
    )


def _part(part: pb.UsagePart) -> UsagePart:
    return UsagePart(entries=part.entries, tokens=part.tokens, cost_micro_usd=part.cost_micro_usd)


def to_entry(entry: pb.UsageEntry) -> UsageEntry:
    """Returns an entry of the ledger as callers get it."""
    same = {name: getattr(entry, name) for name in UsageEntry.model_fields if name != "created"}
    same["kind"] = _KINDS[entry.kind]
    return UsageEntry(**same, created=rfc3339(entry.create_time))
