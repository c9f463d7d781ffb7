"""What one request may do upstream: by whose credential, and for how long."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc

from turnpike.gateway.problems import of_remote
from turnpike.rpc.errors import from_rpc_error
from turnpike.rpc.identity import bearer

Answer = TypeVar("Answer")
Method: TypeAlias = Callable[..., Awaitable[Any]]
Names: TypeAlias = Mapping[str, str]
Metadata: TypeAlias = tuple[tuple[str, str], ...]

_FIRST_DELAY = 0.05
_LAST_DELAY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the edge waits for the services, and tries again."""

    answer: timedelta = timedelta(seconds=30)
    """How long a call may take, or a stream may take to begin."""

    reattachment: timedelta = timedelta(seconds=3)
    """How long one replica may take to show a log again."""

    loss: timedelta = timedelta(seconds=10)
    """How long to try other replicas before giving up."""

    silence: timedelta = timedelta(seconds=20)
    """How long a stream may bring nothing at all, heartbeats included."""


class Credential(Protocol):
    """Says to the services in whose name a request comes."""

    async def token(self) -> str:
        """Returns a token that is valid now, or raises a `ServiceError`."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request's way to the services."""

    credential: Credential
    patience: Patience

    def patient(self, answer: timedelta) -> "Call":
        """Returns the same way for a call that may take longer."""
        longer = max(answer, self.patience.answer)
        return replace(self, patience=replace(self.patience, answer=longer))

    async def metadata(self) -> Metadata:
        """Returns what goes with each call made for this request."""
        return bearer(await self.credential.token())

    async def change(self, method: Method, request: Any, names: Names | None = None) -> Any:
        """Calls a method once.

        Args:
            method: The stub's.
            request: Its request.
            names: What callers call the fields of `request`; see `of_remote`.

        Raises:
            ProblemError: The service refused, or did not answer.
        """
        try:
            return await self._once(method, request)
        except grpc.aio.AioRpcError as error:
            raise of_remote(from_rpc_error(error), names) from error

    async def read(self, method: Method, request: Any, names: Names | None = None) -> Any:
        """Calls a method that is safe to retry, until a replica answers.

        Raises as `change` does.
        """
        try:
            return await self.retried(lambda: self._once(method, request))
        except grpc.aio.AioRpcError as error:
            raise of_remote(from_rpc_error(error), names) from error

    async def retried(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Tries until a replica answers, be it a refusal, as long as is sensible."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.patience.loss.total_seconds()
        tries = 0
        while True:
            try:
                return await attempt()
            except grpc.aio.AioRpcError as error:
                if not _is_unanswered(error) or loop.time() > give_up:
                    raise
            await asyncio.sleep(backoff(tries))
            tries += 1

    async def _once(self, method: Method, request: Any) -> Any:
        timeout = self.patience.answer.total_seconds()
        return await method(request, metadata=await self.metadata(), timeout=timeout)


def backoff(tries: int) -> float:
    """Returns how many seconds to wait after so many tries; twice as long each time."""
    return min(_LAST_DELAY, _FIRST_DELAY * 2 ** min(tries, 10)) * random.uniform(0.5, 1)  # noqa: S311


def _is_unanswered(error: grpc.aio.AioRpcError) -> bool:
    """Tells a call that no service answered from one that was refused for now."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and not from_rpc_error(error).reason
