"""What agent-runtime refuses, and what that means on the wire."""

from datetime import UTC, datetime

import grpc

from turnpike.api.agent_runtime.v1.error_reason_pb2 import ErrorReason
from turnpike.rpc.errors import EtagMismatchError, ServiceError


def _name(reason: ErrorReason.ValueType) -> str:
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


class AgentRuntimeError(ServiceError):
    """A failure of agent-runtime."""

    domain = "agent-runtime.turnpike"


class NotFoundError(AgentRuntimeError):
    """There is no such thing in the caller's tenant."""

    code = grpc.StatusCode.NOT_FOUND
    reason = _name(ErrorReason.ERROR_REASON_NOT_FOUND)

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name!r}", kind=kind, id=name)


class ConflictError(AgentRuntimeError):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = _name(ErrorReason.ERROR_REASON_CONFLICT)

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is a {kind} {name!r} already", kind=kind, id=name)


def check_etag(given: str, current: str) -> None:
    """Returns if a caller bound a change to nothing, or to what there is now.

    Raises:
        EtagMismatchError: It was changed since the caller read it.
    """
    if given and given != current:
        raise EtagMismatchError(current)


class InUseError(AgentRuntimeError):
    """Something else names it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_IN_USE)

    def __init__(self, what: str, kind: str, name: str) -> None:
        super().__init__(f"{what} is used by {kind} {name!r}", kind=kind, id=name)


class ThreadBusyError(AgentRuntimeError):
    """The thread runs a turn."""

    code = grpc.StatusCode.ABORTED
    reason = _name(ErrorReason.ERROR_REASON_THREAD_BUSY)

    def __init__(self, thread: str, turn: str) -> None:
        super().__init__("the thread runs a turn already", thread=thread, turn=turn)


class IdempotencyKeyReusedError(AgentRuntimeError):
    """The request id was used for another payload."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_IDEMPOTENCY_KEY_REUSED)

    def __init__(self, turn: str) -> None:
        super().__init__("this idempotency key was used for another payload", turn=turn)


class TextRefusedError(AgentRuntimeError):
    """A filter of the tenant's refuses what somebody wrote."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = _name(ErrorReason.ERROR_REASON_TEXT_REFUSED)

    def __init__(self, field: str, name: str, reason: str) -> None:
        # Nothing of the text, here or anywhere.
        told = f"the filter {name!r} refuses this" + (f": {reason}" if reason else "")
        super().__init__(f"{field}: {told}", fields=((field, told),), field=field, filter=name)


class FileTooLargeError(AgentRuntimeError):
    """The file has more bytes than may be kept."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = _name(ErrorReason.ERROR_REASON_FILE_TOO_LARGE)

    def __init__(self, limit: int) -> None:
        super().__init__(f"a file has {limit} bytes at most", limit=str(limit))


class FilesFullError(AgentRuntimeError):
    """The tenant's files have as many bytes as they may have."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = _name(ErrorReason.ERROR_REASON_FILES_FULL)

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"a tenant's files have {limit} bytes at most: delete some, or threads that hold them",
            limit=str(limit),
        )


class CursorBeyondEndError(AgentRuntimeError):
    """The cursor is beyond the end of the log."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = _name(ErrorReason.ERROR_REASON_OUT_OF_RANGE)

    def __init__(self, last: int) -> None:
        super().__init__(f"the log ends at {last}", last=str(last))


class ApprovalDecidedError(AgentRuntimeError):
    """Others decided first."""

    code = grpc.StatusCode.ABORTED
    reason = _name(ErrorReason.ERROR_REASON_APPROVAL_DECIDED)

    def __init__(self, approval: str, decided_by: str, decided_at: datetime) -> None:
        super().__init__(
            "it is decided already",
            approval=approval,
            decided_by=decided_by,
            decided_at=_rfc3339(decided_at),
        )


class ApprovalClosedError(AgentRuntimeError):
    """It expired, or its turn ended, before anybody decided."""

    code = grpc.StatusCode.ABORTED
    reason = _name(ErrorReason.ERROR_REASON_APPROVAL_CLOSED)

    def __init__(self, approval: str, status: str, closed_at: datetime) -> None:
        said = "it has expired" if status == "EXPIRED" else "its turn has ended"
        super().__init__(said, approval=approval, status=status, closed_at=_rfc3339(closed_at))


class ApprovalKeyReusedError(AgentRuntimeError):
    """The request id was used for other decisions."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_IDEMPOTENCY_KEY_REUSED)

    def __init__(self, approval: str) -> None:
        super().__init__("this idempotency key was used for other decisions", approval=approval)


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
