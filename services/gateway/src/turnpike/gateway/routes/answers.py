"""Answering other vendors' clients: by a turn of an agent, or by a model itself."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import orjson
from starlette.types import Receive, Scope, Send

from turnpike.api.agent_runtime.v1.completion_service_pb2 import StreamCompletionRequest
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceStub
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceStub
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2 import GetTurnRequest
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.forms import Form
from turnpike.gateway.logs import Log, run
from turnpike.gateway.problems import ProblemError, of_remote
from turnpike.gateway.projection import Projection
from turnpike.gateway.requests import while_connected
from turnpike.gateway.routes.completion_source import CompletionSource
from turnpike.gateway.routes.replies import raw_reply
from turnpike.gateway.routes.said import THREAD, AgentInput, start_request
from turnpike.gateway.routes.turn_source import TurnSource
from turnpike.gateway.streams import Source, Streams
from turnpike.rpc.errors import from_rpc_error

EVENT_STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
_TURN = "x-turnpike-turn"
_NAMES = {"start.agent": "model", "agent": "model", "start.": ""}


class Document(Protocol):
    """A form that is told whole."""

    document: dict[str, Any]
    failure: ProblemError | None


class WholeSource(Source, Protocol):
    """A source that can be read to its end."""

    async def whole(self) -> None:
        """Reads to the end."""
        ...


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and the way back."""

    call: Call
    scope: Scope
    receive: Receive
    send: Send


class Answers:
    """Where answers come from."""

    def __init__(
        self,
        turns: TurnServiceStub,
        threads: ThreadServiceStub,
        files: FileServiceStub,
        completions: CompletionServiceStub,
        streams: Streams,
    ) -> None:
        self.turns = turns
        self._threads = threads
        self._files = files
        self._completions = completions
        self._streams = streams

    async def start(self, client: Client, agent: str, said: AgentInput) -> tuple[Turn, Log]:
        """Starts a turn, and returns it with its log from event 1."""
        names = {
            f"{path}[{i}]": field
            for i, field in enumerate(said.fields)
            for path in ("input", "start.input")
        }
        async with while_connected(client.receive), refusals(names):
            request = await start_request(
                client.call, self._threads, self._files, client.scope, agent, said
            )
            return await run(client.call, self.turns, request)

    async def look(self, call: Call, turn: str) -> Turn:
        """Returns a turn as it stands."""
        response = await call.read(self.turns.GetTurn, GetTurnRequest(turn=turn))
        return response.turn

    def of_turn(self, call: Call, turn: Turn, log: Log, form: Form, **how: Any) -> TurnSource:
        """Returns a turn as the source of an answer."""
        projection = Projection(form, notes=notes_of(turn), **how)
        return TurnSource(log, form, projection, lambda: self.look(call, turn.id))

    async def of_model(
        self, client: Client, request: StreamCompletionRequest, form: Form, names: Mapping[str, str]
    ) -> CompletionSource:
        """Returns a model's answer, which has begun, as the source of one.

        Raises:
            ProblemError: The call is refused.
        """
        stream = self._completions.StreamCompletion(request, metadata=await client.call.metadata())
        source = CompletionSource(stream, form, names)
        try:
            async with while_connected(client.receive):
                await source.answered()
        except BaseException:
            source.close()
            raise
        return source

    async def stream(self, client: Client, source: Source, headers: Mapping[str, str]) -> None:
        """Sends an answer as it comes."""
        await self._streams.serve(source, client.receive, client.send, {**EVENT_STREAM, **headers})

    async def send(
        self, client: Client, source: WholeSource, form: Document, headers: Mapping[str, str]
    ) -> None:
        """Sends an answer whole.

        Raises:
            ProblemError: There is none.
        """
        try:
            async with while_connected(client.receive):
                await source.whole()
        finally:
            source.close()
        if form.failure is not None:
            raise form.failure
        await send_json(client, form.document, headers)


def notes_of(turn: Turn) -> dict[str, Any]:
    """Returns what tells a client which turn answers."""
    return {"turn": turn.id, "thread": turn.thread}


def turn_headers(turn: Turn) -> dict[str, str]:
    """Returns the headers that tell a client which turn answers."""
    return {_TURN: turn.id, THREAD: turn.thread}


async def send_json(client: Client, document: Any, headers: Mapping[str, str] = {}) -> None:
    """Sends a document."""
    response = raw_reply(orjson.dumps(document), headers={"cache-control": "no-store", **headers})
    await response(client.scope, client.receive, client.send)


@asynccontextmanager
async def refusals(names: Mapping[str, str] = {}) -> AsyncGenerator[None]:
    """Tells why a turn was not started in words of the request that asked for it."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error), {**names, **_NAMES}) from error
