"""Telling a caller why gatekeeper refused its turn, or its call."""

from datetime import timedelta
from uuid import UUID

import grpc

from turnpike.rpc.errors import RemoteError, ServiceError

_REFUSALS = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


class NotAdmittedError(ServiceError):
    """Gatekeeper refused: its own code, reason and details, and the turn."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(self, refusal: RemoteError, turn: UUID) -> None:
        metadata = {**refusal.metadata, "turn": str(turn)}
        decided = refusal.code in _REFUSALS and refusal.reason
        message = refusal.message if decided else "gatekeeper does not answer; try again"
        wait = refusal.retry_after or (None if decided else timedelta(seconds=1))
        super().__init__(message, retry_after=wait, quota=refusal.quota)
        self.metadata = metadata
        if decided:
            self.code = refusal.code  # pyright: ignore[reportAttributeAccessIssue] # this one's own
            self.reason = refusal.reason  # pyright: ignore[reportAttributeAccessIssue] # this one's own
            self.domain = refusal.domain  # pyright: ignore[reportAttributeAccessIssue] # this one's own
