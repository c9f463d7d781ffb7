"""What happens around every request: its trace, its refusal, its record."""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

import grpc
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnpike.gateway.envelopes import (
    is_foreign,
    problem_headers,
    request_headers,
    write_problem,
)
from turnpike.gateway.metrics import REQUESTS
from turnpike.gateway.problems import (
    ProblemError,
    internal,
    invalid_field,
    of_own,
    of_remote,
    too_late,
)
from turnpike.gateway.requests import ClientGoneError, header
from turnpike.rpc.errors import RemoteError, ServiceError, from_rpc_error
from turnpike.telemetry import Span, adopt, current_trace_id, span, traceparent

logger = logging.getLogger(__name__)

HEAD = "turnpike.head"
"""In the scope of a HEAD request, which is served as a GET whose body is dropped."""

_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Edge:
    """Wraps the application: nothing below it answers an error itself.

    Args:
        app: What to wrap.
        allowed: Returns the methods that a path knows; none for an unknown path.
    """

    def __init__(self, app: ASGIApp, allowed: Callable[[Scope], list[str]]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        adopt(header(scope, b"traceparent") or None)
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with span(f"HTTP {scope['method']}", "server", attributes) as current:
            answer = _Answer(send, scope["path"])
            inner = _as_get(scope)
            try:
                await self._serve(inner, receive, answer)
            except ClientGoneError:
                answer.status = 499
            except Exception as error:  # noqa: BLE001 # the boundary; what is unforeseen is logged
                await answer.fail(_problem(error))
            answer.record(inner, current)

    async def _serve(self, scope: Scope, receive: Receive, send: "_Answer") -> None:
        if "\x00" in scope["path"]:
            raise ProblemError(404, "NOT_FOUND", "there is no such thing")
        if b"%00" in scope["query_string"]:
            raise invalid_field("", "the query must not contain NUL")
        if scope["method"] == "OPTIONS" and (methods := self._allowed(scope)):
            allow = ", ".join(methods).encode()
            await send(
                {"type": "http.response.start", "status": 204, "headers": [(b"allow", allow)]}
            )
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


class _Answer:
    """The way back to the client."""

    def __init__(self, send: Send, path: str) -> None:
        self.status = 0
        self._send = send
        self._path = path
        self._foreign = is_foreign(path)
        self._began = perf_counter()
        self._waited = 0.0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._waited = perf_counter() - self._began
            message["headers"] = [
                *message.get("headers", ()),
                (b"traceparent", traceparent().encode()),
            ]
            if self._foreign:
                named = request_headers(self._path, current_trace_id())
                message["headers"] += [(k.encode(), v.encode()) for k, v in named.items()]
        await self._send(message)

    async def fail(self, problem: ProblemError) -> None:
        """Answers with a problem; where an answer had begun, it stays cut short."""
        if self.status:
            return
        if self._foreign:
            named = problem_headers(problem)
            body = write_problem(problem, self._path, current_trace_id())
        else:
            named, body = problem.headers(), problem.body(current_trace_id())
        headers = [(k.encode(), v.encode()) for k, v in named.items()]
        headers.append((b"content-length", str(len(body)).encode()))
        await self({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})

    def record(self, scope: Scope, current: Span) -> None:
        """Counts the request, and logs it without its query: that may hold a token."""
        route: Any = scope.get("route")
        name = getattr(route, "path", "none")
        REQUESTS.labels(name, str(self.status)).observe(self._waited)
        current.set("http.route", name)
        current.set("http.response.status_code", self.status)
        if self.status >= 500:
            current.fail(f"HTTP {self.status}")
        if scope["path"] not in _QUIET:
            logger.info(
                "%s %s %d in %.1f ms",
                scope["method"],
                scope["path"],
                self.status,
                1000 * (perf_counter() - self._began),
            )


def _as_get(scope: Scope) -> Scope:
    """Returns the scope to route by; the server drops the body of HEAD itself."""
    if scope["method"] != "HEAD":
        return scope
    return {**scope, "method": "GET", HEAD: True}


def _problem(error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case grpc.aio.AioRpcError():
            problem = of_remote(from_rpc_error(error))
        case RemoteError():
            problem = of_remote(error)
        case ServiceError():
            return of_own(error)
        case TimeoutError():
            return too_late()
        case _:
            problem = internal()
    if problem.status == 500:
        logger.error("unhandled error", exc_info=error)
    return problem
