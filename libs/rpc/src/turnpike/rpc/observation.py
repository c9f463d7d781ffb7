"""The span and the metrics of a served call."""

from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter

from turnpike.telemetry import Span, adopt, span
from turnpike.telemetry.metrics import gauge, histogram

SECONDS = histogram(
    "rpc_server_seconds", "How long served calls took, by method and status.", ["method", "code"]
)
IN_FLIGHT = gauge("rpc_server_in_flight", "Calls being served, streams included.", ["method"])


class Observation:
    """What is known of a call's end."""

    __slots__ = ("code", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.code = ""
        """The status' name, when the call fails by more than an exception's type."""


@contextmanager
def observed(method: str, traceparent: object) -> Generator[Observation]:
    """Makes a served call a span of its caller's trace, and measures it."""
    adopt(traceparent if isinstance(traceparent, str) else None)
    attributes = {"rpc.system": "grpc", "rpc.method": method[1:]}
    started = perf_counter()
    in_flight = IN_FLIGHT.labels(method)
    in_flight.inc()
    code = "OK"
    with span(method[1:], "server", attributes) as own:
        observation = Observation(own)
        try:
            yield observation
        except Exception:
            code = observation.code or "UNKNOWN"
            raise
        except BaseException:  # cancelled, or a stream that nobody reads any more
            code = "CANCELLED"
            raise
        finally:
            own.set("rpc.grpc.status_code", code)
            in_flight.dec()
            SECONDS.labels(method, code).observe(perf_counter() - started)
