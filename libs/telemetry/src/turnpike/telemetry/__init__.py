"""Logs, traces and metrics: one configure()."""

from turnpike.telemetry.configuration import configure, shut_down
from turnpike.telemetry.tracing import (
    Span,
    adopt,
    current_span_id,
    current_trace_id,
    span,
    traceparent,
)

__all__ = [
    "Span",
    "adopt",
    "configure",
    "current_span_id",
    "current_trace_id",
    "shut_down",
    "span",
    "traceparent",
]
