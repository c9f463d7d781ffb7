"""Recording spans with OpenTelemetry and sending them to a collector.

Imported only where an endpoint is configured.
"""

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from turnpike.telemetry.tracing import Attributes, Kind, Recorder, Recording, TraceContext, Value

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


def open_recorder(service: str, replica: str, endpoint: str) -> Recorder:
    """Returns a recorder that sends spans to `endpoint` in batches, in the background."""
    resource = Resource.create({"service.name": service, "service.instance.id": replica})
    # The interpreter's end is ours to handle: turnpike.telemetry.shut_down.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # A collector that is away must not hold the end of the process up.
    exporter = OTLPSpanExporter(
        endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=2
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    return _Recorder(provider)


class _Recorder:
    """Makes spans of a provider's."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("turnpike")

    def start(
        self, name: str, kind: Kind, attributes: Attributes | None, parent: TraceContext | None
    ) -> Recording:
        before = otel_context.get_current()
        above = trace.set_span_in_context(_remote(parent), before)
        span = self._tracer.start_span(name, above, _KINDS[kind], attributes)
        # Libraries that trace by themselves, as the MCP SDK does, look there.
        otel_context.attach(trace.set_span_in_context(span, before))
        return _Recording(span, before)

    def close(self) -> None:
        self._provider.shutdown()


class _Recording:
    """A span of OpenTelemetry's."""

    def __init__(self, span: trace.Span, before: otel_context.Context) -> None:
        self._span = span
        self._before = before

    @property
    def context(self) -> TraceContext:
        context = self._span.get_span_context()
        return TraceContext(
            f"{context.trace_id:032x}", f"{context.span_id:016x}", context.trace_flags.sampled
        )

    def set(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def fail(self, description: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, description))

    def end(self) -> None:
        self._span.end()
        # Not by detaching: a generator may be closed in another context than
        # the one it was begun in.
        otel_context.attach(self._before)


def _remote(parent: TraceContext | None) -> trace.Span:
    if parent is None:
        return trace.INVALID_SPAN
    return NonRecordingSpan(
        SpanContext(
            int(parent.trace_id, 16),
            int(parent.span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT),
        )
    )
