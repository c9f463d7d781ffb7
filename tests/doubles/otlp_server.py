"""A trace collector that keeps what it is sent: OTLP over gRPC."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


@dataclass(frozen=True)
class Span:
    """A span as it was exported; ids are in hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]


class OtlpServer(TraceServiceServicer):
    """Keeps the spans that services export to it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._arrived = asyncio.Condition()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[str]:
        """Serves while inside; gives the endpoint, `http://host:port`."""
        server = grpc.aio.server()
        add_TraceServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await server.stop(None)

    async def Export(
        self, request: ExportTraceServiceRequest, context: object
    ) -> ExportTraceServiceResponse:
        self.spans += spans_of(request)
        async with self._arrived:
            self._arrived.notify_all()
        return ExportTraceServiceResponse()

    def trace(self, trace_id: str) -> list[Span]:
        """Returns the spans of a trace that have arrived."""
        return [span for span in self.spans if span.trace_id == trace_id]

    async def wait_for(self, complete: Callable[[list[Span]], bool], within: float = 30) -> None:
        """Waits until all spans together satisfy a condition, or raises TimeoutError."""
        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: complete(self.spans))


def spans_of(request: ExportTraceServiceRequest) -> list[Span]:
    """Returns the spans of an export, flat."""
    return [
        Span(
            service=plain(resource.resource.attributes).get("service.name", ""),
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes=plain(span.attributes),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def plain(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Returns attributes as text."""
    return {attribute.key: plain_value(attribute.value) for attribute in attributes}


def plain_value(value: AnyValue) -> str:
    """Returns an attribute's value as text."""
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind))
