"""What was used, and what a turn would be told at admission."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as gatekeeper_pb
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.api.gatekeeper.v1.usage_service_pb2_grpc import UsageServiceStub
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, in_utc
from turnpike.gateway.routes.usage_shapes import (
    EntryPage,
    UsageReport,
    report_reply,
    to_entry,
)

_NAMES = {"filter.from_time": "from", "filter.to_time": "to", "filter.time_zone": "tz"} | {
    "filter.": ""
}
_DIMENSIONS = tuple(
    name.removeprefix("USAGE_DIMENSION_").lower()
    for name, value in pb.UsageDimension.items()
    if value
)

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
        return report_reply(report, {name for each in by for name in each.split(",")})

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
        entries = [to_entry(each) for each in response.entries]
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


def _gate(gate: gatekeeper_pb.ExplainAdmissionResponse.Gate) -> Gate:
    waits = gate.HasField("retry_after")
    return Gate(
        name=gate.name,
        reason=gate.reason,
        detail=gate.detail,
        metadata=dict(gate.metadata),
        retry_after_ms=gate.retry_after.ToMilliseconds() if waits else None,
    )
