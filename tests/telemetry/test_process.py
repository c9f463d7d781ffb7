"""A process's logs and exported spans, as its operator relies on them."""

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.doubles.otlp_server import OtlpServer

ROOT = Path(__file__).parents[2]
SERVICES = ["agent_runtime", "embedding", "gatekeeper", "gateway", "tool_registry"]


async def run(*arguments: str) -> tuple[str, list[dict[str, Any]]]:
    """Runs the service to its end; gives its output and what it logged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.telemetry.service",
        *arguments,
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode(), [json.loads(line) for line in errors.splitlines()]


async def test_a_log_is_json_that_names_its_trace():
    output, (outside, rung, failed) = await run()

    assert output == f"{'a' * 32} False\n"  # no endpoint: no SDK
    assert (
        outside.items()
        >= {
            "message": "outside of any trace",
            "level": "info",
            "logger": "greeter.desk",
            "service": "greeter",
            "replica": "greeter-1",
            "desk": 7,
        }.items()
    )
    assert "time" in outside and "trace_id" not in outside
    assert (rung["message"], rung["times"], rung["level"]) == ("rung", 2, "warning")
    assert rung["trace_id"] == failed["trace_id"] == "a" * 32
    assert failed["exception"].endswith("BrokenError: secret")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_does_without_the_command_line_s_colours(service: str):
    script = f"import sys, turnpike.{service}.__main__; print('rich' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"


async def test_spans_are_exported_before_the_process_ends():
    collector = OtlpServer()
    async with collector.listening() as endpoint:
        output, _ = await run(endpoint)

    assert output == f"{'a' * 32} True\n"
    spans = {span.name: span for span in collector.spans}
    greet, fail = spans["greet"], spans["fail"]
    assert greet.service == "greeter"
    assert greet.attributes == {"name": "Ada", "polite": "True"}
    assert (greet.trace_id, greet.parent_id) == ("a" * 32, "b" * 16)
    assert (fail.trace_id, fail.parent_id) == (greet.trace_id, greet.span_id)
    assert "secret" not in str(spans)


async def test_a_collector_that_is_away_does_not_hold_the_end_up():
    began = monotonic()

    await run("http://127.0.0.1:1")

    assert monotonic() - began < 30
