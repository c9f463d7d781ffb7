"""Errors that have a meaning on the wire."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, TypeAlias, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

T = TypeVar("T")
FieldViolation: TypeAlias = tuple[str, str]
"""The path of a field, `spec.tools[2]`, and what is wrong with it."""

_DETAILS_KEY = "grpc-status-details-bin"
_PUSHBACK_KEY = "grpc-retry-pushback-ms"
_NEVER_AGAIN = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
# These say when it may be tried again, which is for people: it can be weeks.
_NEVER_BY_ITSELF = frozenset({"BANNED", "BUDGET_EXHAUSTED"})
# A status travels as a header, and peers refuse those beyond 8 KiB.
_MESSAGE_LENGTH = 1000
_FIELDS_TOLD = 50


@dataclass(frozen=True, slots=True)
class QuotaViolation:
    """A limit that was reached."""

    subject: str
    """Whose it is: `tenant`, or `principal:…`."""

    description: str
    metric: str
    """What is limited, such as `micro_usd`."""

    period: str
    limit: int


class ServiceError(Exception):
    """A failure the caller is meant to understand.

    Subclasses fix the status code and the reason; instances add what differs
    from one failure to the next. Anything that is not a `ServiceError` reaches
    the caller as INTERNAL, with nothing of its text.
    """

    code: ClassVar[grpc.StatusCode]
    reason: ClassVar[str]
    domain: ClassVar[str] = ""
    """`<service>.turnpike`; where it is empty, that of the server which answers."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        fields: Sequence[FieldViolation] = (),
        quota: Sequence[QuotaViolation] = (),
        **metadata: str,
    ) -> None:
        super().__init__(message)
        self.metadata = metadata
        self.retry_after = retry_after
        self.quota = tuple(quota)
        self.fields = tuple(fields)


class InvalidArgumentError(ServiceError):
    """Fields of the request are wrong, whatever the state of the service."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"

    def __init__(self, field: str, message: str, *others: FieldViolation) -> None:
        fields = ((field, message), *others)
        super().__init__("; ".join(f"{path}: {text}" for path, text in fields), fields=fields)


class UnauthenticatedError(ServiceError):
    """The credential is missing, wrong, expired or revoked."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ForbiddenError(ServiceError):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "FORBIDDEN"


class NotFoundError(ServiceError):
    """There is no such thing in the caller's tenant."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class ConflictError(ServiceError):
    """Something else got there first; look again, then decide."""

    code = grpc.StatusCode.ABORTED
    reason = "CONFLICT"


class EtagMismatchError(ServiceError):
    """It was changed since the caller read it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ETAG_MISMATCH"

    def __init__(self, etag: str) -> None:
        """Takes the current one."""
        super().__init__("it was changed meanwhile: read it again", etag=etag)


class UnavailableError(ServiceError):
    """Something that is needed does not answer; the same call may succeed later."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(
        self, message: str, *, retry_after: timedelta = timedelta(seconds=1), **metadata: str
    ) -> None:
        super().__init__(message, retry_after=retry_after, fields=(), quota=(), **metadata)


class DeadlineExceededError(ServiceError):
    """It took longer than the caller would wait."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


@dataclass(eq=False)
class RemoteError(Exception):
    """What a peer answered instead of a response."""

    code: grpc.StatusCode
    reason: str
    """The `ErrorInfo` reason; empty when the peer gave none, as gRPC itself does."""
    message: str
    domain: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    retry_after: timedelta | None = None
    fields: Sequence[FieldViolation] = ()
    quota: Sequence[QuotaViolation] = ()

    def __str__(self) -> str:
        return f"{self.code.name} {self.reason}: {self.message}"


def to_status(error: ServiceError, domain: str = "") -> Status:
    """Returns the `google.rpc.Status` that carries `error` to the caller.

    Args:
        error: What happened.
        domain: The domain of errors that name none themselves.
    """
    status = Status(code=error.code.value[0], message=str(error)[:_MESSAGE_LENGTH])
    for detail in _details(error, domain):
        packed = AnyProto()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def trailing_metadata(error: ServiceError, domain: str = "") -> Sequence[tuple[str, str | bytes]]:
    """Returns what travels with the status: its details, and when gRPC may try again.

    gRPC's own retries read the latter: never, where waiting helps nobody.
    """
    details = (_DETAILS_KEY, to_status(error, domain).SerializeToString())
    if error.retry_after is not None and error.reason not in _NEVER_BY_ITSELF:
        wait = -(-error.retry_after // timedelta(milliseconds=1))
        return (details, (_PUSHBACK_KEY, str(max(0, wait))))
    if error.code in _NEVER_AGAIN:
        return (details, (_PUSHBACK_KEY, "-1"))
    return (details,)


def from_rpc_error(error: grpc.aio.AioRpcError) -> RemoteError:
    """Returns what a peer meant by the failure of a call.

    Usage: `except grpc.aio.AioRpcError as error: raise from_rpc_error(error) from error`.
    """
    remote = RemoteError(code=error.code(), reason="", message=error.details() or "")
    for detail in _sent_details(error):
        _take(remote, detail)
    return remote


async def answered(call: Awaitable[T]) -> T:
    """Returns what a peer answers to a unary call; raises `RemoteError` for its failure."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


def of_peer(error: RemoteError) -> ServiceError | None:
    """Returns what a peer's failure means to our own caller, where nobody foresaw it.

    A peer that is away or slow makes us unavailable or late. Any other answer
    is a fault of ours, and None.
    """
    if error.code is grpc.StatusCode.UNAVAILABLE:
        return UnavailableError(
            "a service that is needed does not answer; try again",
            retry_after=error.retry_after or timedelta(seconds=1),
        )
    if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceededError("a service that is needed did not answer in time")
    return None


def _details(error: ServiceError, domain: str) -> Iterable[Message]:
    yield ErrorInfo(
        reason=error.reason, domain=error.domain or domain, metadata=dict(error.metadata)
    )
    if error.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        yield retry
    if error.quota:
        yield QuotaFailure(violations=map(_violation, error.quota))
    if error.fields:
        yield BadRequest(
            field_violations=[
                BadRequest.FieldViolation(field=path, description=message)
                for path, message in error.fields[:_FIELDS_TOLD]
            ]
        )


def _violation(quota: QuotaViolation) -> QuotaFailure.Violation:
    return QuotaFailure.Violation(
        subject=quota.subject,
        description=quota.description,
        quota_metric=quota.metric,
        quota_id=quota.period,
        quota_value=quota.limit,
    )


def _sent_details(error: grpc.aio.AioRpcError) -> Iterable[AnyProto]:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                yield from Status.FromString(value).details
            except DecodeError:  # something between us and the peer rewrote it
                return


def _take(remote: RemoteError, detail: AnyProto) -> None:
    info, retry, request, quota = ErrorInfo(), RetryInfo(), BadRequest(), QuotaFailure()
    if detail.Unpack(info):
        remote.reason, remote.domain = info.reason, info.domain
        remote.metadata = dict(info.metadata)
    elif detail.Unpack(retry):
        remote.retry_after = retry.retry_delay.ToTimedelta()
    elif detail.Unpack(request):
        remote.fields = [(each.field, each.description) for each in request.field_violations]
    elif detail.Unpack(quota):
        remote.quota = [
            QuotaViolation(
                each.subject, each.description, each.quota_metric, each.quota_id, each.quota_value
            )
            for each in quota.violations
        ]
