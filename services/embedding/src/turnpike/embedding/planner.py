"""The planner: the model that the platform asks for itself, which agent-runtime knows."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import grpc

from turnpike.api.agent_runtime.v1 import completion_service_pb2 as pb
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceStub
from turnpike.api.embedding.v1.error_reason_pb2 import ErrorReason
from turnpike.embedding.model import EmbeddingError
from turnpike.rpc.errors import RemoteError, answered
from turnpike.rpc.identity import Signer

_RELAYED = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


class NoPlannerError(EmbeddingError):
    """Nobody has the role planner."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_NO_PLANNER).removeprefix("ERROR_REASON_")

    def __init__(self) -> None:
        super().__init__("no model has the role planner")


class PlannerRefusedError(EmbeddingError):
    """The planner was asked, and there is no answer: its own reason, or UNAVAILABLE."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(self, refusal: RemoteError) -> None:
        decided = refusal.code in _RELAYED and bool(refusal.reason)
        message = refusal.message if decided else "the planner does not answer; try again"
        wait = refusal.retry_after or (None if decided else timedelta(seconds=1))
        super().__init__(message, retry_after=wait, quota=refusal.quota)
        if decided:
            self.metadata = dict(refusal.metadata)
            self.code = refusal.code  # pyright: ignore[reportAttributeAccessIssue] # this one's own
            self.reason = refusal.reason  # pyright: ignore[reportAttributeAccessIssue] # this one's own
            self.domain = refusal.domain  # pyright: ignore[reportAttributeAccessIssue] # this one's own


class PlannerCutError(EmbeddingError):
    """The planner said nothing."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the planner said nothing; try again", retry_after=timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """In whose name the planner is asked, who pays for it."""

    tenant: UUID
    principal: str
    key: str = ""
    """The API key that they came with; empty when none did."""


class Planner:
    """Asks the planner, in agent-runtime: there credentials are, and there it is billed.

    Args:
        completions: Agent-runtime's; None: there is no planner.
        signer: Signs for the people in whose name it is asked.
    """

    def __init__(self, completions: CompletionServiceStub | None, signer: Signer) -> None:
        self._completions = completions
        self._signer = signer

    async def ask(
        self, asker: Asker, *, instructions: str, text: str, max_output: int, seconds: float
    ) -> str:
        """Returns what the planner says.

        Raises:
            NoPlannerError: Nobody has the role.
            PlannerRefusedError: It was not admitted, failed, or took longer than `seconds`.
        """
        if self._completions is None:
            raise NoPlannerError
        request = pb.AskPlannerRequest(
            instructions=instructions, text=text, max_output_tokens=max_output
        )
        metadata = self._signer.metadata_for(asker.tenant, asker.principal, key=asker.key)
        try:
            response = await answered(
                self._completions.AskPlanner(request, timeout=seconds, metadata=metadata)
            )
        except RemoteError as refusal:
            if refusal.code is grpc.StatusCode.NOT_FOUND:
                raise NoPlannerError from refusal
            raise PlannerRefusedError(refusal) from refusal
        return response.text
