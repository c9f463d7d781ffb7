"""What goes wrong, as callers read it: `application/problem+json`."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import grpc
import orjson

from turnpike.rpc.errors import RemoteError, ServiceError

CONTENT_TYPE = "application/problem+json"

_OF_REASON = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "TEXT_REFUSED": 400,
    "UNAUTHENTICATED": 401,
    "BUDGET_EXHAUSTED": 402,
    "BANNED": 403,
    "FORBIDDEN": 403,
    "TENANT_LIMIT": 403,
    "NOT_FOUND": 404,
    "APPROVAL_CLOSED": 409,
    "APPROVAL_DECIDED": 409,
    "CONFLICT": 409,
    "IN_USE": 409,
    "SIGN_IN_IMPOSSIBLE": 409,
    "SIGN_IN_INVALID": 409,
    "SNAPSHOT_INVALID": 409,
    "THREAD_BUSY": 409,
    "LOG_TRIMMED": 410,
    "ETAG_MISMATCH": 412,
    "DOCUMENT_TOO_LARGE": 413,
    "FILE_TOO_LARGE": 413,
    "FILES_FULL": 413,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "CONCURRENCY_LIMITED": 429,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

# Of turns that ended without an answer.
_OF_TURN = {
    "APPROVAL_EXPIRED": 409,
    "CANCELLED": 409,
    "KEY_REVOKED": 401,
    "MODEL_UNUSABLE": 400,
    "PROVIDER_ERROR": 502,
    "PROVIDER_RATE_LIMITED": 429,
    "PROVIDER_UNREACHABLE": 503,
}

# What a status without a reason of ours stands for: its HTTP status, a reason,
# and words, since the status's own text may name what callers must not see.
_OF_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: (400, "INVALID_ARGUMENT", "the request is not valid"),
    grpc.StatusCode.OUT_OF_RANGE: (400, "OUT_OF_RANGE", "out of range"),
    grpc.StatusCode.UNAUTHENTICATED: (401, "UNAUTHENTICATED", "the credential is not valid"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "FORBIDDEN", "not allowed"),
    grpc.StatusCode.NOT_FOUND: (404, "NOT_FOUND", "there is no such thing"),
    grpc.StatusCode.ALREADY_EXISTS: (409, "CONFLICT", "the name is taken"),
    grpc.StatusCode.ABORTED: (409, "CONFLICT", "something else came first"),
    grpc.StatusCode.FAILED_PRECONDITION: (409, "CONFLICT", "not in this state"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (429, "RATE_LIMITED", "too much at once"),
    grpc.StatusCode.UNAVAILABLE: (503, "UNAVAILABLE", "a service does not answer, try again"),
    grpc.StatusCode.CANCELLED: (503, "UNAVAILABLE", "a service went away, try again"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (504, "DEADLINE_EXCEEDED", "a service took too long"),
}
_INTERNAL = (500, "INTERNAL", "internal error")

# What may stand in a header as it is.
_RATE_NAME = re.compile(r"^[a-z0-9_-]{1,64}$")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong, by its path in the request."""

    field: str
    message: str


class ProblemError(Exception):
    """A request that fails, with all that its caller is told.

    Attributes:
        began: Whether a turn began all the same: sent again, the request starts another.
        challenge: What a 401 says of how to come in.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        metadata: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        allow: str = "",
        began: bool = False,
    ) -> None:
        super().__init__(detail)
        self.began = began
        self.challenge = "Bearer"
        self.status = status
        self.reason = reason
        self.detail = detail
        self.metadata = dict(metadata or {})
        self.errors = errors
        self.retry_after = retry_after
        self.allow = allow

    def body(self, trace_id: str) -> bytes:
        """Returns the problem's JSON."""
        return orjson.dumps(
            {
                "type": "about:blank",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "reason": self.reason,
                "metadata": self.metadata,
                "errors": [{"field": e.field, "message": e.message} for e in self.errors],
                "trace_id": trace_id,
            }
        )

    def headers(self) -> dict[str, str]:
        """Returns the headers that go with the problem."""
        headers = {"content-type": CONTENT_TYPE, "cache-control": "no-store"}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.allow:
            headers["allow"] = self.allow
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = self.challenge
        if self.reason == "RATE_LIMITED":
            headers |= _rate_headers(self.metadata, self.retry_after or 1)
        return headers


def unauthenticated(detail: str) -> ProblemError:
    """Returns the refusal of a credential that is missing or wrong."""
    return ProblemError(401, "UNAUTHENTICATED", detail)


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    """Returns the refusal of a request whose fields are wrong."""
    return ProblemError(400, "INVALID_ARGUMENT", _told(errors), errors=errors)


def invalid_field(field: str, message: str) -> ProblemError:
    """Returns the refusal of a request with one wrong field."""
    return invalid([FieldError(field, message)])


def of_remote(error: RemoteError, names: Mapping[str, str] | None = None) -> ProblemError:
    """Returns what a service's answer means to the caller of the edge.

    The reason decides, then the code. A failure that no service of ours
    described is told in words of the edge's own.

    Args:
        error: What the service answered.
        names: What callers call fields of the service's message: what a path
            there begins with, and what it begins with here.
    """
    status, reason, words = _OF_CODE.get(error.code, _INTERNAL)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProblemError(*_INTERNAL)
    if error.reason:
        status, reason, words = _OF_REASON.get(error.reason, status), error.reason, error.message
    elif "larger than max" in error.message:
        # gRPC's own limit on messages.
        status, reason, words = 413, "PAYLOAD_TOO_LARGE", "the request is too large"
    fields = [FieldError(_renamed(path, names or {}), text) for path, text in error.fields]
    return ProblemError(
        status,
        reason,
        _told(fields) or words,
        metadata=error.metadata,
        errors=fields,
        retry_after=_seconds(error.retry_after, status),
    )


def of_own(error: ServiceError) -> ProblemError:
    """Returns what an error of our own libraries means to the caller of the edge."""
    status = _OF_CODE.get(error.code, _INTERNAL)[0]
    return ProblemError(
        _OF_REASON.get(error.reason, status),
        error.reason,
        str(error),
        metadata=error.metadata,
        errors=[FieldError(path, text) for path, text in error.fields],
        retry_after=_seconds(error.retry_after, status),
    )


def of_turn(
    status: str, reason: str, message: str, metadata: Mapping[str, str] | None = None
) -> ProblemError:
    """Returns what it means that a turn ended without an answer, where an answer was asked.

    Args:
        status: How the turn ended.
        reason: The reason of its error.
        message: What its error says.
        metadata: What names the turn.
    """
    return ProblemError(
        _OF_TURN.get(reason, _OF_REASON.get(reason, 500)),
        reason or status,
        message or f"the turn ended as {status}",
        metadata=metadata,
        began=True,
    )


def internal() -> ProblemError:
    """Returns all that a caller is told of a failure that nobody foresaw."""
    return ProblemError(*_INTERNAL)


def too_late() -> ProblemError:
    """Returns the failure of a call that took longer than the edge waits."""
    return ProblemError(*_OF_CODE[grpc.StatusCode.DEADLINE_EXCEEDED])


def _rate_headers(limit: Mapping[str, str], wait: int) -> dict[str, str]:
    """Returns what a refusal for a rate says of the rate, where it names one.

    The fields of draft-ietf-httpapi-ratelimit-headers, and beside them the
    three of its older versions, which is what most clients read.
    """
    name, rate, burst = (limit.get(key, "") for key in ("limit", "per_minute", "burst"))
    if not (_RATE_NAME.match(name) and rate.isdecimal()):
        return {}
    extra = f";burst={burst}" if burst.isdecimal() else ""
    return {
        "ratelimit-policy": f'"{name}";q={rate};w=60{extra}',
        "ratelimit": f'"{name}";r=0;t={wait}',
        "ratelimit-limit": rate,
        "ratelimit-remaining": "0",
        "ratelimit-reset": str(wait),
    }


def _told(errors: Sequence[FieldError]) -> str:
    return "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors[:5])


def _seconds(retry_after: timedelta | None, status: int) -> int | None:
    if retry_after is not None:
        return max(1, math.ceil(retry_after.total_seconds()))
    return 1 if status in (429, 503) else None


def _renamed(field: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        if field.startswith(theirs):
            return ours + field.removeprefix(theirs)
    return field
