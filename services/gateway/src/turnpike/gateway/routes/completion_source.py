"""A model's answer to the client's own messages, as the client is told it."""

import asyncio
from typing import Any, cast

import grpc

from turnpike.api.agent_runtime.v1 import completion_service_pb2 as pb
from turnpike.gateway.calls import Names
from turnpike.gateway.forms import Ending, Form, Spent, Stop
from turnpike.gateway.metrics import PIECES
from turnpike.gateway.problems import ProblemError, of_remote
from turnpike.rpc.errors import from_rpc_error

# A provider that refuses does so by then, and the client gets its refusal as
# a status; one that is slow must not keep proxies between us waiting.
_STATUS_SECONDS = 10.0
_STOPS = frozenset({"stop", "length", "tool_calls", "content_filter"})


class CompletionSource:
    """One proxied call in another vendor's form. It cannot be resumed: hanging up ends it.

    Args:
        stream: The call.
        form: The form.
        names: What clients call the fields of the request.
    """

    resumable = False

    def __init__(
        self, stream: "grpc.aio.UnaryStreamCall[Any, Any]", form: Form, names: Names
    ) -> None:
        self._stream = stream
        self._form = form
        self._names = names
        self._ended = False
        self._spent = Spent()
        self._first: asyncio.Future[Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether the client was told the end."""
        return self._ended

    async def answered(self) -> None:
        """Waits until the provider has begun to answer, or for as long as may be.

        Raises:
            ProblemError: It refused, or we did.
        """
        self._first = asyncio.ensure_future(self._response())
        done, _ = await asyncio.wait({self._first}, timeout=_STATUS_SECONDS)
        if done and (error := self._first.exception()):
            raise error

    def opening(self) -> bytes:
        """Returns that an answer is coming, with what is there of it."""
        begun = self._form.begin()
        first = self._first
        if first is None or not first.done():
            return begun
        self._first = None
        return begun + self._take(first.result())

    async def read(self) -> bytes:
        """Returns what comes next."""
        first, self._first = self._first, None
        try:
            return self._take(await (first or self._response()))
        except ProblemError as problem:
            return self._fail(problem)

    async def at_rest(self) -> bytes:
        """Returns nothing: a model that is silent thinks."""
        return b""

    async def whole(self) -> None:
        """Reads to the end."""
        self.opening()
        while not self._ended:
            await self.read()

    def close(self) -> None:
        """Hangs up, which cancels the provider's call."""
        self._stream.cancel()

    async def _response(self) -> Any:
        try:
            return await self._stream.read()
        except grpc.aio.AioRpcError as error:
            raise of_remote(from_rpc_error(error), self._names) from error

    def _take(self, response: Any) -> bytes:
        if response is grpc.aio.EOF:
            return self._fail(ProblemError(502, "PROVIDER_ERROR", "the answer was cut"))
        pieces = cast("pb.StreamCompletionResponse", response).pieces
        PIECES.inc(len(pieces))
        return b"".join([self._told(piece) for piece in pieces])

    def _told(self, piece: pb.CompletionPiece) -> bytes:
        match piece.WhichOneof("piece"):
            case "text":
                return self._form.text(piece.text)
            case "reasoning":
                return self._form.reasoning(piece.reasoning)
            case "call":
                call = piece.call
                return self._form.call(call.index, call.id, call.name, call.arguments)
            case "usage":
                self._spent = _spent(piece.usage)
            case "signature":
                return self._form.signature(piece.signature)
            case "end":
                return self._end(piece.end.reason)
            case _:
                pass
        return b""

    def _end(self, reason: str) -> bytes:
        self._ended = True
        stop = cast("Stop", reason if reason in _STOPS else "stop")
        return self._form.end(Ending(stop=stop, spent=self._spent))

    def _fail(self, problem: ProblemError) -> bytes:
        self._ended = True
        return self._form.fail(problem)


def _spent(usage: pb.CompletionUsage) -> Spent:
    return Spent(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )
