"""A process that logs and traces, started by the tests: `service.py [ENDPOINT]`."""

import logging
import sys

import structlog

from turnpike.telemetry import adopt, configure, current_trace_id, span


class BrokenError(Exception):
    """Its text holds a secret."""


def fail() -> None:
    with span("fail"):
        raise BrokenError("secret")


def main() -> None:
    configure("greeter", "greeter-1", otlp_endpoint=sys.argv[1] if sys.argv[1:] else None)
    log = logging.getLogger("greeter.desk")
    log.debug("not shown")
    log.info("outside of %s", "any trace", extra={"desk": 7})
    adopt(f"00-{'a' * 32}-{'b' * 16}-01")
    with span("greet", "server", {"name": "Ada"}) as own:
        own.set("polite", True)
        structlog.get_logger("greeter.bell").warning("rung", times=2)
        try:
            fail()
        except BrokenError:
            log.exception("failed")
    print(current_trace_id(), "opentelemetry.sdk" in sys.modules)


if __name__ == "__main__":
    main()
