"""What was used, and what a turn would be told at admission."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as gatekeeper_pb
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.api.gatekeeper.v1.usage_service_pb2_grpc import UsageServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, raw_reply, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time, in_utc

_NAMES = {"filter.from_time": "from", "filter.to_time": "to", "filter.time_zone": "tz"} | {
    "filter.": ""
}
_DIMENSIONS = tuple(
    name.removeprefix("USAGE_DIMENSION_").lower()
    for name, value in pb.UsageDimension.items()
    if value
)
_KINDS = {
    value: name.removeprefix("USAGE_KIND_") for name, value in gatekeeper_pb.UsageKind.items()
}

By = Annotated[
    list[str],
    Query(description=f"What to tell apart, separated by commas: {', '.join(_DIMENSIONS)}."),
]
From = Annotated[
    datetime | None, Query(alias="from", description="From when on; by default, this month.")
]
To = Annotated[datetime | None, Query(alias="to", description="Before when; by default, now.")]
Zone = Annotated[
    str, Query(max_length=100, description="Where days and months begin; by default, UTC.")
]
TenantQuery = Annotated[
    str, Query(max_length=64, description="Another, or `-` for all; the first tenant's alone.")
]
Who = Annotated[str, Query(max_length=64)]
NameQuery = Annotated[str, Query(max_length=200)]
Tokens = Annotated[int, Query(ge=0, le=100_000_000)]


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


class Gate(Reply):
    """One of the reasons for which a turn may be refused."""

    name: str
    reason: str = Field(description="Empty where it would let the turn pass.")
    detail: str
    metadata: dict[str, str]
    retry_after_ms: int | None


class Explanation(Reply):
    """What each gate would decide now."""

    decision: str
    plan: str
    payer: str
    gates: list[Gate]


class UsageRoutes:
    """`/api/v1/usage`, `/api/v1/usage/entries` and `/api/v1/admission:explain`."""

    def __init__(self, usage: UsageServiceStub, gatekeeper: GatekeeperServiceStub) -> None:
        self._usage = usage
        self._gatekeeper = gatekeeper

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        for path, get, shape in (
            ("/api/v1/usage", self.report_usage, UsageReport),
            ("/api/v1/usage/entries", self.list_usage, EntryPage),
            ("/api/v1/admission:explain", self.explain_admission, Explanation),
        ):
            router.add_api_route(
                path, get, methods=["GET"], response_model=shape, responses=problems(404)
            )
        return router

    async def report_usage(
        self,
        call: CurrentCall,
        page: Page,
        by: By = [],  # noqa: B006 # never changed
        begins: From = None,
        ends: To = None,
        tz: Zone = "",
        tenant: TenantQuery = "",
        principal: Who = "",
        agent: NameQuery = "",
        model: NameQuery = "",
    ) -> Response:
        """Sums what was used, by tenant, principal, agent, model, hour, day or month."""
        request = pb.ReportUsageRequest(
            filter=pb.UsageFilter(
                tenant=tenant,
                principal=principal,
                agent=agent,
                model=model,
                from_time=in_utc("from", begins),
                to_time=in_utc("to", ends),
                time_zone=tz,
            ),
            by=_dimensions(by),
            **page,
        )
        report = await call.read(self._usage.ReportUsage, request, _NAMES)
        return _report_reply(report, {name for each in by for name in each.split(",")})

    async def list_usage(
        self,
        call: CurrentCall,
        page: Page,
        turn: Who = "",
        begins: From = None,
        ends: To = None,
        tenant: TenantQuery = "",
        principal: Who = "",
        agent: NameQuery = "",
        model: NameQuery = "",
    ) -> Response:
        """Lists entries of the ledger, newest first."""
        request = pb.ListUsageRequest(
            filter=pb.UsageFilter(
                tenant=tenant,
                principal=principal,
                agent=agent,
                model=model,
                from_time=in_utc("from", begins),
                to_time=in_utc("to", ends),
            ),
            turn=turn,
            **page,
        )
        response = await call.read(self._usage.ListUsage, request, _NAMES)
        entries = [_entry(each) for each in response.entries]
        return reply(EntryPage(entries=entries, next_page_token=response.next_page_token))

    async def explain_admission(
        self,
        call: CurrentCall,
        principal: Who,
        key: Who = "",
        agent: NameQuery = "",
        rate_class: Literal["SYNC", "ASYNC", "API"] = "SYNC",
        model: NameQuery = "",
        input_tokens: Tokens = 0,
        max_output_tokens: Tokens = 0,
    ) -> Response:
        """Says what each gate would decide for a principal now, and consumes nothing."""
        estimate = gatekeeper_pb.Estimate(
            model=model, input_tokens=input_tokens, max_output_tokens=max_output_tokens
        )
        request = gatekeeper_pb.ExplainAdmissionRequest(
            principal=principal,
            key=key,
            agent=agent,
            rate_class=f"RATE_CLASS_{rate_class}",
            estimate=estimate if model else None,
        )
        explained = await call.read(self._gatekeeper.ExplainAdmission, request, {"estimate.": ""})
        return reply(
            Explanation(
                decision=explained.decision,
                plan=explained.plan,
                payer=explained.payer,
                gates=[_gate(each) for each in explained.gates],
            )
        )


def _dimensions(given: list[str]) -> list[str]:
    names = [name.strip() for each in given for name in each.split(",") if name.strip()]
    for name in names:
        if name not in _DIMENSIONS:
            raise invalid_field("by", f"{name!r} is none of {', '.join(_DIMENSIONS)}")
    return [f"USAGE_DIMENSION_{name.upper()}" for name in names]


def _report_reply(report: pb.ReportUsageResponse, by: set[str]) -> Response:
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


def _entry(entry: pb.UsageEntry) -> UsageEntry:
    same = {name: getattr(entry, name) for name in UsageEntry.model_fields if name != "created"}
    same["kind"] = _KINDS[entry.kind]
    return UsageEntry(**same, created=rfc3339(entry.create_time))


def _gate(gate: gatekeeper_pb.ExplainAdmissionResponse.Gate) -> Gate:
    waits = gate.HasField("retry_after")
    return Gate(
        name=gate.name,
        reason=gate.reason,
        detail=gate.detail,
        metadata=dict(gate.metadata),
        retry_after_ms=gate.retry_after.ToMilliseconds() if waits else None,
    )
