"""The calls of a turn, as the effect ledger knows them, and where each stands."""

from dataclasses import dataclass
from uuid import UUID

from turnpike.api.tool_registry.v1.tool_pb2 import Call, CallStatus, NeedKind
from turnpike.api.tool_registry.v1.tool_pb2 import Progress as WireProgress

_STATUSES = {
    CallStatus.CALL_STATUS_PENDING: "PENDING",
    CallStatus.CALL_STATUS_DISPATCHED: "DISPATCHED",
    CallStatus.CALL_STATUS_SUCCEEDED: "SUCCEEDED",
    CallStatus.CALL_STATUS_FAILED: "FAILED",
    CallStatus.CALL_STATUS_CANCELLED: "CANCELLED",
    CallStatus.CALL_STATUS_UNKNOWN: "UNKNOWN",
}
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "UNKNOWN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One call of a turn, as the effect ledger knows it."""

    tenant: UUID
    principal: UUID
    turn: UUID
    fence: int
    step: int
    ordinal: int
    conversation: str = ""
    """Whose sessions with servers it may use; the turn's own without one."""

    @property
    def id(self) -> str:
        """Its id in the ledger."""
        return f"{self.turn}:{self.step}:{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call has come, as its server says."""

    progress: float
    total: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a call wants from a person before it can go on."""

    kind: str
    """`ELICITATION`, `INPUT_REQUIRED` or `SIGN_IN`."""

    key: str
    """An answer names it."""

    message: str
    schema: str
    """The JSON Schema of the answer's content; empty when it has none."""

    url: str
    """Where the person is to go; empty when that is nowhere."""

    connector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person gives to one need: a JSON object, or that they were where it led."""

    key: str
    content: str
    action: str = "ACCEPT"
    """Or `DECLINE`: they said no; or `CANCEL`: they said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectState:
    """Where a call stands: a CallStatus's name, and what came of it."""

    status: str
    result: str
    structured: str
    reason: str
    progress: Progress | None = None
    """How far it has come, when that is what is new."""

    generation: int = 1
    """An answer, or a word on an unknown outcome, is of this one."""

    needs: tuple[Need, ...] = ()
    """What it failed for want of; with an answer it goes on."""


def state_of(call: Call) -> EffectState:
    """Returns where a call stands, by its message."""
    return EffectState(
        status=_STATUSES[call.status],
        result=call.result,
        structured=call.structured,
        reason=call.reason,
        generation=call.generation,
        needs=tuple(
            Need(
                kind=NeedKind.Name(need.kind).removeprefix("NEED_KIND_"),
                key=need.key,
                message=need.message,
                schema=need.schema,
                url=need.url,
                connector=need.connector,
            )
            for need in call.needs
        ),
    )


def progress_of(progress: WireProgress) -> Progress:
    """Returns how far a call has come, by its message."""
    return Progress(progress=progress.progress, total=progress.total, message=progress.message)
