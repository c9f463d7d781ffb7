"""The one call that sets a process's telemetry up, and the one that ends it."""

import atexit

from turnpike.telemetry import logs, tracing


def configure(
    service: str, replica: str, *, otlp_endpoint: str | None = None, log_level: str = "INFO"
) -> None:
    """Makes this process log JSON to stderr, and export spans if there is where to.

    Without an endpoint no span is recorded, and OpenTelemetry's SDK is not
    even imported; trace ids are made, logged and passed on all the same.

    Args:
        service: The service's name, as peers know it: `agent-runtime`.
        replica: This process's name among the service's: `agent-runtime-1`.
        otlp_endpoint: Where an OTLP collector listens for gRPC, `http://host:port`.
        log_level: The least level that is logged.
    """
    logs.configure(service, replica, log_level)
    if otlp_endpoint:
        from turnpike.telemetry.exporting import open_recorder  # costs 20 MB and 0.3 s

        tracing.record_with(open_recorder(service, replica, otlp_endpoint))
        atexit.register(shut_down)


def shut_down() -> None:
    """Sends the spans that wait, within two seconds; then records no more.

    Blocks. It runs by itself at the end of the interpreter.
    """
    tracing.stop_recording()
