"""Why a turn is ended early."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a turn is ended early: its status, and its error if it has one."""

    status: str
    reason: str
    message: str


CANCEL = Stop(status="CANCELLED", reason="CANCELLED", message="somebody cancelled the turn")
