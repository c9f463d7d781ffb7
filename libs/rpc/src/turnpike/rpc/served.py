"""The call that is being served."""

from datetime import timedelta
from typing import Any, TypeAlias

import grpc

from turnpike.rpc.errors import UnauthenticatedError
from turnpike.rpc.identity import Caller

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ServedContext:
    """gRPC's context of a call, and who makes it."""

    __slots__ = ("_context", "caller")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.caller: Caller | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def caller_of(context: object) -> Caller:
    """Returns who makes the call that a servicer's `context` belongs to.

    Raises `UnauthenticatedError` in a method that is open to everybody.
    """
    caller: Caller | None = getattr(context, "caller", None)
    if caller is None:
        raise UnauthenticatedError("this needs a credential")
    return caller


def deadline_left(context: Any, default: timedelta) -> float:
    """Returns the seconds that a call made on behalf of another may take.

    They are what the other's caller still waits, or `default` if it is shorter.
    """
    remaining: float | None = context.time_remaining()
    longest = default.total_seconds()
    return longest if remaining is None else max(0.0, min(remaining, longest))
