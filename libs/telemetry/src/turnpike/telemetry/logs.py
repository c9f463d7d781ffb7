"""Logs as lines of JSON on stderr."""

import logging
import sys
from typing import Any

import orjson

from turnpike.telemetry.structlog_alone import (
    EventDict,
    Processor,
    WrappedLogger,
    structlog,
)
from turnpike.telemetry.tracing import current_span_id, current_trace_id

# These announce every request at INFO.
CHATTY = ("httpx", "httpcore", "httpx2", "httpcore2", "mcp", "LiteLLM", "asyncio")


def configure(service: str, replica: str, level: str) -> None:
    """Sends what structlog and the standard library log to stderr, as JSON."""

    def place(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        event["replica"] = replica
        return event

    both: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", key="time"),
        structlog.processors.StackInfoRenderer(),
        _trace,
        place,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *both,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter([*both, structlog.stdlib.ExtraAdder()]))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _formatter(foreign: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=foreign,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
    )


def _trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
        event["span_id"] = current_span_id()
    return event


def _json(event: EventDict, **_options: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
