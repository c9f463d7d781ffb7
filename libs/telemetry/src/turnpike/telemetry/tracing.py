"""Trace context: made at the edge, kept per task, passed on to whoever is called.

The context is our own, a few bytes in a context variable, since most processes
record nothing and OpenTelemetry's would cost them ten times as much. Where
spans are recorded, a `Recorder` makes them, and theirs are the ids.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from random import getrandbits
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, TypeAlias

Kind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
Value: TypeAlias = str | bool | int | float
Attributes: TypeAlias = Mapping[str, Value]


class TraceContext(NamedTuple):
    """Where in which trace the current task is."""

    trace_id: str
    span_id: str
    sampled: bool


class Recording(Protocol):
    """A span that is being recorded."""

    @property
    def context(self) -> TraceContext:
        """Returns the recorded span's ids."""
        ...

    def set(self, name: str, value: Value) -> None:
        """Sets an attribute."""
        ...

    def fail(self, description: str) -> None:
        """Marks the span as failed."""
        ...

    def end(self) -> None:
        """Ends the span and restores what was current before it."""
        ...


class Recorder(Protocol):
    """Makes recorded spans."""

    def start(
        self, name: str, kind: Kind, attributes: Attributes | None, parent: TraceContext | None
    ) -> Recording:
        """Starts a span under `parent`, or a new trace."""
        ...

    def close(self) -> None:
        """Sends what waits and ends."""
        ...


_current: ContextVar[TraceContext | None] = ContextVar("turnpike_trace", default=None)
_recorder: Recorder | None = None

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
# Ids of zeros, the version that is none, and more than version 00 has.
_INVALID = re.compile(r"ff-.*|00-.{52}-.*|..-0{32}-.*|.{36}0{16}-.*")


class Span:
    """One piece of work of a trace; a context manager.

    What is called inside is its child. An exception that leaves it marks it as
    failed, with the exception's type alone: messages may hold secrets.
    """

    __slots__ = ("_arguments", "_before", "_recording", "context")

    context: TraceContext

    def __init__(self, name: str, kind: Kind, attributes: Attributes | None) -> None:
        self._arguments = (name, kind, attributes)
        self._recording: Recording | None = None
        self._before: TraceContext | None = None

    def __enter__(self) -> "Span":
        self._before = before = _current.get()
        if _recorder is not None:
            self._recording = _recorder.start(*self._arguments, before)
            self.context = self._recording.context
        else:
            self.context = _child(before)
        _current.set(self.context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        # Not by a token: a generator may be closed in another context than the
        # one it was begun in.
        _current.set(self._before)
        if self._recording is not None:
            if kind is not None and issubclass(kind, Exception):
                self._recording.fail(kind.__name__)
            self._recording.end()

    def set(self, name: str, value: Value) -> None:
        """Sets an attribute, which nobody sees unless spans are recorded."""
        if self._recording is not None:
            self._recording.set(name, value)

    def fail(self, description: str) -> None:
        """Marks the span as failed without an exception leaving it."""
        if self._recording is not None:
            self._recording.fail(description)


def span(name: str, kind: Kind = "internal", attributes: Attributes | None = None) -> Span:
    """Returns a span of the current trace, or of a new one, to be entered."""
    return Span(name, kind, attributes)


def current_trace_id() -> str:
    """Returns the current trace's id in hexadecimal; empty outside of a trace."""
    context = _current.get()
    return context.trace_id if context else ""


def current_span_id() -> str:
    """Returns the current span's id in hexadecimal; empty outside of a trace."""
    context = _current.get()
    return context.span_id if context else ""


def traceparent() -> str:
    """Returns the W3C header that makes a callee part of this trace.

    Outside of a trace it begins one, which nobody but the callee learns of.
    """
    context = _current.get() or _child(None)
    return f"00-{context.trace_id}-{context.span_id}-{'01' if context.sampled else '00'}"


def adopt(traceparent: str | None) -> None:
    """Makes the rest of this task part of the caller's trace.

    A header that is missing or malformed leaves the task outside of any trace,
    so that its first span begins one.
    """
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or _INVALID.fullmatch(match[0]):
        _current.set(None)
        return
    trace_id, span_id, flags = match.groups()
    _current.set(TraceContext(trace_id, span_id, bool(int(flags, 16) & 1)))


def record_with(recorder: Recorder) -> None:
    """Records the spans of this process from now on."""
    global _recorder
    stop_recording()
    _recorder = recorder


def stop_recording() -> None:
    """Sends the spans that wait, and records no more."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.close()


def _child(parent: TraceContext | None) -> TraceContext:
    # Zero is not a valid id.
    span_id = f"{getrandbits(64) or 1:016x}"
    if parent is None:
        return TraceContext(f"{getrandbits(128) or 1:032x}", span_id, sampled=_recorder is not None)
    return TraceContext(parent.trace_id, span_id, parent.sampled)
