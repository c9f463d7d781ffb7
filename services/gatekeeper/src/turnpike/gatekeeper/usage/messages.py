"""Reports and entries as the wire has them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from turnpike.api.gatekeeper.v1 import usage_service_pb2 as pb
from turnpike.gatekeeper.messages import time_of, uuid_of
from turnpike.gatekeeper.usage.model import DIMENSIONS, PERIODS, Entry, Key, Line, Part, Report, Sum
from turnpike.gatekeeper.usage.reports import Asked
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.paging import cursor_of, moment, page_token
from turnpike.rpc.paging import text as plain

_PARSERS = {"tenant": UUID, "principal": UUID, "agent": plain, "model": plain}


def asked_of(message: pb.UsageFilter, turn: str = "") -> Asked:
    """Returns what a filter asks for."""
    return Asked(
        tenant=message.tenant,
        principal=message.principal,
        agent=message.agent,
        model=message.model,
        turn=uuid_of(turn),
        begins=time_of(message, "from_time"),
        ends=time_of(message, "to_time"),
        zone=message.time_zone,
    )


def dimensions_of(request: pb.ReportUsageRequest) -> tuple[str, ...]:
    """Returns what a report shall tell apart."""
    return tuple(DIMENSIONS[number - 1] for number in request.by)


def key_of(token: str, by: tuple[str, ...]) -> Key | None:
    """Returns the key in a page token; None on the first page."""
    if token and not by:
        raise InvalidArgumentError("page_token", "is not a token of this list")
    return cursor_of(token, *(_PARSERS.get(name, moment) for name in by))


def report_message(report: Report, size: int) -> pb.ReportUsageResponse:
    """Returns a report as the wire has it, of at most so many lines."""
    lines = report.lines[:size]
    if not report.by and report.total.entries:
        lines = [Line(key=(), sum=report.total)]
    return pb.ReportUsageResponse(
        rows=[_row(line, report.by) for line in lines],
        total=_sum(report.total),
        from_time=report.begins,
        to_time=report.ends,
        next_page_token=page_token(*lines[-1].key) if len(report.lines) > size else "",
    )


def entry_message(entry: Entry) -> pb.UsageEntry:
    """Returns an entry of the ledger as the wire has it."""
    return pb.UsageEntry(
        tenant=str(entry.tenant),
        turn=str(entry.turn),
        step=entry.step,
        call=entry.call,
        attempt=entry.attempt,
        principal=str(entry.principal),
        agent=entry.agent,
        model=entry.model,
        kind=f"USAGE_KIND_{entry.kind.upper()}",
        input_tokens=entry.input_tokens,
        cached_tokens=entry.cached_tokens,
        cache_write_tokens=entry.cache_write_tokens,
        output_tokens=entry.output_tokens,
        reasoning_tokens=entry.reasoning_tokens,
        cost_micro_usd=entry.cost_micro_usd,
        default_priced=entry.default_price,
        estimated=entry.estimated,
        own_key=entry.own_key,
        create_time=entry.created,
    )


def _row(line: Line, by: tuple[str, ...]) -> pb.UsageRow:
    row: dict[str, Any] = {}
    for name, value in zip(by, line.key, strict=True):
        row["period" if name in PERIODS else name] = (
            value if isinstance(value, datetime) else str(value)
        )
    return pb.UsageRow(**row, sum=_sum(line.sum))


def _sum(sum: Sum) -> pb.UsageSum:
    return pb.UsageSum(
        entries=sum.entries,
        input_tokens=sum.input_tokens,
        cached_tokens=sum.cached_tokens,
        cache_write_tokens=sum.cache_write_tokens,
        output_tokens=sum.output_tokens,
        reasoning_tokens=sum.reasoning_tokens,
        cost_micro_usd=sum.cost_micro_usd,
        default_priced=_part(sum.default_priced),
        estimated=_part(sum.estimated),
        own_key=_part(sum.own_key),
    )


def _part(part: Part) -> pb.UsagePart:
    return pb.UsagePart(
        entries=part.entries, tokens=part.tokens, cost_micro_usd=part.cost_micro_usd
    )
