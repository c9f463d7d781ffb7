"""What goes wrong, as the clients of other vendors' forms read it."""

from collections.abc import Mapping
from typing import Any

import orjson

from turnpike.gateway.problems import ProblemError

OPENAI = "/v1/"
ANTHROPIC = "/v1/messages"

# The type and the code of OpenAI's envelope, by our reason.
_OPENAI: dict[str, tuple[str, str]] = {
    "UNAUTHENTICATED": ("invalid_request_error", "invalid_api_key"),
    "KEY_REVOKED": ("invalid_request_error", "invalid_api_key"),
    "BUDGET_EXHAUSTED": ("insufficient_quota", "insufficient_quota"),
    "RATE_LIMITED": ("rate_limit_error", "rate_limit_exceeded"),
    "PROVIDER_RATE_LIMITED": ("rate_limit_error", "rate_limit_exceeded"),
    "CONCURRENCY_LIMITED": ("rate_limit_error", "concurrency_limited"),
    "BANNED": ("permission_error", "banned"),
    "FORBIDDEN": ("permission_error", "forbidden"),
    "NOT_FOUND": ("invalid_request_error", "not_found"),
    "CONTEXT_LENGTH_EXCEEDED": ("invalid_request_error", "context_length_exceeded"),
}
# By our status, where the reason is none of those.
_OPENAI_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SERVER_ERROR = 500
_OVERLOADED = 503
# The clients of both vendors try these again by themselves, where it is no use.
_FOR_GOOD = frozenset(
    {"APPROVAL_DECIDED", "BUDGET_EXHAUSTED", "CANCELLED", "CONFLICT", "THREAD_BUSY"}
)


def is_foreign(path: str) -> bool:
    """Tells whether a path speaks another vendor's form."""
    return path.startswith(OPENAI)


def write_problem(problem: ProblemError, path: str, request_id: str) -> bytes:
    """Returns a problem's body, in the form that the path speaks."""
    if path.startswith(ANTHROPIC):
        return orjson.dumps(anthropic_error(problem, request_id))
    return orjson.dumps(openai_error(problem))


def problem_headers(problem: ProblemError) -> dict[str, str]:
    """Returns the headers that go with a problem in another vendor's form."""
    headers = problem.headers() | {"content-type": "application/json"}
    if "ratelimit-limit" in headers:
        headers |= {
            "x-ratelimit-limit-requests": headers["ratelimit-limit"],
            "x-ratelimit-remaining-requests": headers["ratelimit-remaining"],
            "x-ratelimit-reset-requests": f"{headers['ratelimit-reset']}s",
        }
    if problem.retry_after is not None:
        headers["retry-after-ms"] = str(problem.retry_after * 1000)
    if problem.began or problem.reason in _FOR_GOOD:
        headers["x-should-retry"] = "false"
    return headers


def openai_error(problem: ProblemError) -> dict[str, Any]:
    """Returns a problem in OpenAI's envelope."""
    default = _OPENAI_TYPES.get(
        problem.status,
        "server_error" if problem.status >= _SERVER_ERROR else "invalid_request_error",
    )
    kind, code = _OPENAI.get(problem.reason, (default, problem.reason.lower()))
    error: dict[str, Any] = {
        "message": problem.detail,
        "type": kind,
        "param": problem.errors[0].field or None if problem.errors else None,
        "code": code,
    }
    if problem.metadata:
        error["metadata"] = problem.metadata
    return {"error": error}


def anthropic_error(problem: ProblemError, request_id: str = "") -> dict[str, Any]:
    """Returns a problem in Anthropic's envelope."""
    default = "api_error" if problem.status >= _SERVER_ERROR else "invalid_request_error"
    kind = _ANTHROPIC_TYPES.get(problem.status, default)
    if problem.status == _OVERLOADED:
        kind = "overloaded_error"
    error = {"type": kind, "message": problem.detail}
    envelope: dict[str, Any] = {"type": "error", "error": error}
    if request_id:
        envelope["request_id"] = request_id
    return envelope


def request_headers(path: str, request_id: str) -> Mapping[str, str]:
    """Returns the headers by which a client names its request to us."""
    name = "request-id" if path.startswith(ANTHROPIC) else "x-request-id"
    return {name: request_id}
