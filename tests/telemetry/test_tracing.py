"""Trace context, as services that call each other rely on it."""

import asyncio
import re

import pytest

from turnpike.telemetry import adopt, current_span_id, current_trace_id, span, traceparent

TRACE, PARENT = "a" * 32, "b" * 16


async def test_the_first_span_begins_a_trace():
    adopt(None)
    with span("outer"):
        assert re.fullmatch(r"[0-9a-f]{32}", current_trace_id())
        assert re.fullmatch(r"[0-9a-f]{16}", current_span_id())

    assert current_trace_id() == ""


async def test_spans_inside_are_of_the_same_trace():
    adopt(None)
    with span("outer") as outer:
        with span("inner") as inner:
            assert inner.context.trace_id == outer.context.trace_id
            assert inner.context.span_id != outer.context.span_id
        assert current_span_id() == outer.context.span_id


async def test_a_callee_is_told_of_the_current_span():
    adopt(f"00-{TRACE}-{PARENT}-01")
    with span("call"):
        assert traceparent() == f"00-{TRACE}-{current_span_id()}-01"
    assert traceparent() == f"00-{TRACE}-{PARENT}-01"


async def test_whether_a_trace_is_recorded_is_passed_on():
    adopt(f"00-{TRACE}-{PARENT}-00")
    with span("call"):
        assert traceparent().endswith("-00")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0g",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01-more",
    ],
)
async def test_a_malformed_header_is_no_trace(header: str):
    adopt(header)

    assert current_trace_id() == ""


async def test_a_later_version_of_the_header_is_understood():
    adopt(f"01-{TRACE}-{PARENT}-01-more")

    assert current_trace_id() == TRACE


async def test_outside_of_a_trace_a_callee_begins_one():
    adopt(None)

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", traceparent())


async def test_a_task_s_trace_is_its_own():
    async def adopted() -> str:
        adopt(f"00-{TRACE}-{PARENT}-01")
        return current_trace_id()

    with span("outer"):
        before = current_trace_id()
        assert await asyncio.create_task(adopted()) == TRACE
        assert current_trace_id() == before
