"""Planners at the other end of a channel: they say what a test wrote down."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.doubles.servicers import PartialCompletions
from turnpike.api.agent_runtime.v1 import completion_service_pb2 as pb
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import (
    CompletionServiceStub,
    add_CompletionServiceServicer_to_server,
)
from turnpike.embedding.planner import Planner
from turnpike.rpc.channel import open_channel
from turnpike.rpc.identity import Signer

Answer = Callable[[pb.AskPlannerRequest], str | None]


@dataclass
class Asked:
    """What a planner was asked."""

    requests: list[pb.AskPlannerRequest] = field(default_factory=list[pb.AskPlannerRequest])
    seconds: list[float] = field(default_factory=list[float])
    """How long each call was to be waited for, when it came."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


class _Completions(PartialCompletions):
    def __init__(self, answer: Answer, asked: Asked) -> None:
        self._answer = answer
        self._asked = asked

    async def AskPlanner(
        self, request: pb.AskPlannerRequest, context: "grpc.aio.ServicerContext[object, object]"
    ) -> pb.AskPlannerResponse:
        self._asked.requests.append(request)
        self._asked.seconds.append(context.time_remaining() or float("inf"))
        self._asked.begun.set()
        said = self._answer(request)
        if said is None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._asked.cancelled.set()
        if said == "absent":
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no model ''")
        if said == "refused":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "not today")
        return pb.AskPlannerResponse(text=said or "", complete=True)


@asynccontextmanager
async def planner(answer: Answer) -> AsyncGenerator[tuple[Planner, Asked]]:
    """Gives a planner who says what `answer` returns; nothing, ever, where that is None."""
    asked, server = Asked(), grpc.aio.server()
    add_CompletionServiceServicer_to_server(_Completions(answer, asked), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    signer = Signer("embedding", Ed25519PrivateKey.generate().private_bytes_raw())
    try:
        async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
            yield Planner(CompletionServiceStub(channel), signer), asked
    finally:
        await server.stop(None)
