"""Whose text is embedded when, and what happens under pressure."""

import asyncio
from collections.abc import Sequence
from itertools import cycle

import grpc
import pytest

from tests.embedding.serving import WAIT_SECONDS, HeldEncoder, embedding, encoder, single_tokens
from tests.waiting import until
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.rpc.errors import from_rpc_error
from turnpike.telemetry.metrics import REGISTRY

FIRST, OTHER, QUERY = 8, 16, 32
"""Widths in tokens, by which batches are told apart."""

_words = cycle(single_tokens())


def request(width: int, priority: pb.Priority, texts: int = 1) -> pb.EmbedRequest:
    """Returns a request for texts that nobody asked for before."""
    return pb.EmbedRequest(
        input=[f"{next(_words)} {'word ' * (width - 3)}" for _ in range(texts)], priority=priority
    )


def metric(name: str, priority: str) -> float:
    return REGISTRY.get_sample_value(f"turnpike_embedding_{name}", {"priority": priority}) or 0


async def hold(
    service: EmbeddingServiceStub, held: HeldEncoder, priority: pb.Priority
) -> "asyncio.Task[pb.EmbedResponse]":
    """Returns a call whose batch has begun and does not end until it is released."""
    call = start(service, request(FIRST, priority))
    assert await asyncio.to_thread(held.began.wait, WAIT_SECONDS)
    return call


def start(
    service: EmbeddingServiceStub, embed: pb.EmbedRequest
) -> "asyncio.Task[pb.EmbedResponse]":
    async def call() -> pb.EmbedResponse:
        return await service.Embed(embed)

    return asyncio.create_task(call())


async def test_queries_overtake_bulk_work_that_waits() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1) as service:
        calls = [await hold(service, held, pb.PRIORITY_BULK)]
        calls.append(start(service, request(OTHER, pb.PRIORITY_BULK)))
        await until(lambda: metric("queued_tokens", "bulk") == OTHER)
        calls.append(start(service, request(QUERY, pb.PRIORITY_INTERACTIVE)))
        await until(lambda: metric("queued_tokens", "interactive") == QUERY)

        held.released.set()
        await asyncio.gather(*calls)

    assert held.widths == [FIRST, QUERY, OTHER]


async def test_e2_queries_do_not_wait_for_a_batch_of_bulk_work() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=2) as service:
        bulk = [await hold(service, held, pb.PRIORITY_BULK)]
        bulk.append(start(service, request(FIRST, pb.PRIORITY_BULK)))
        await until(lambda: metric("queued_tokens", "bulk") == FIRST)

        await service.Embed(request(QUERY, pb.PRIORITY_INTERACTIVE))

        assert held.widths == [FIRST, QUERY]
        held.released.set()
        await asyncio.gather(*bulk)


async def test_e2_bulk_work_gets_its_turn_between_queries() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1) as service:
        calls = [await hold(service, held, pb.PRIORITY_INTERACTIVE)]
        calls.append(start(service, request(OTHER, pb.PRIORITY_BULK)))
        # Each fills a batch of its own.
        calls += [start(service, request(256, pb.PRIORITY_INTERACTIVE, 2)) for _ in range(8)]
        await until(lambda: metric("queued_tokens", "interactive") == 8 * 512)
        await until(lambda: metric("queued_tokens", "bulk") == OTHER)

        held.released.set()
        await asyncio.gather(*calls)

    assert held.widths.index(OTHER) <= 4


async def test_texts_of_one_width_that_wait_are_embedded_together() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1) as service:
        calls = [await hold(service, held, pb.PRIORITY_INTERACTIVE)]
        calls += [start(service, request(QUERY, pb.PRIORITY_INTERACTIVE)) for _ in range(20)]
        await until(lambda: metric("queued_tokens", "interactive") == 20 * QUERY)

        held.released.set()
        await asyncio.gather(*calls)

    assert held.widths == [FIRST, QUERY, QUERY], "16 of 32 tokens make a batch"


async def test_a_text_whose_caller_has_gone_is_dropped() -> None:
    held = HeldEncoder(FIRST)
    dropped = metric("dropped_texts_total", "bulk")
    async with embedding(held, workers=1) as service:
        first = await hold(service, held, pb.PRIORITY_INTERACTIVE)
        gone = start(service, request(OTHER, pb.PRIORITY_BULK, 3))
        await until(lambda: metric("queued_tokens", "bulk") == 3 * OTHER)

        gone.cancel()
        await until(lambda: metric("dropped_texts_total", "bulk") == dropped + 3)
        assert metric("queued_tokens", "bulk") == 0
        held.released.set()
        await first
        await service.Embed(request(QUERY, pb.PRIORITY_BULK))

    assert held.widths == [FIRST, QUERY]


async def test_a_text_whose_caller_is_out_of_time_is_dropped() -> None:
    held = HeldEncoder(FIRST)
    dropped = metric("dropped_texts_total", "interactive")
    async with embedding(held, workers=1) as service:
        first = await hold(service, held, pb.PRIORITY_INTERACTIVE)

        with pytest.raises(grpc.aio.AioRpcError) as late:
            await service.Embed(request(OTHER, pb.PRIORITY_INTERACTIVE), timeout=1)

        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: metric("dropped_texts_total", "interactive") == dropped + 1)
        held.released.set()
        await first

    assert held.widths == [FIRST]


async def test_a_full_line_refuses_and_says_when_to_come_again() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1, max_queued_tokens=OTHER) as service:
        calls = [await hold(service, held, pb.PRIORITY_BULK)]
        calls.append(start(service, request(OTHER, pb.PRIORITY_BULK, 4)))
        await until(lambda: metric("queued_tokens", "bulk") == 4 * OTHER)

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.Embed(request(OTHER, pb.PRIORITY_BULK))

        error = from_rpc_error(refused.value)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
        assert error.metadata == {"waiting": "4", "unit": "inputs"}
        assert error.retry_after is not None
        # 64 tokens wait and 15 may, at 4,000 a second.
        assert error.retry_after.total_seconds() == pytest.approx((64 - OTHER + 1) / 4000, abs=1e-3)
        calls.append(start(service, request(QUERY, pb.PRIORITY_INTERACTIVE)))
        await until(lambda: metric("queued_tokens", "interactive") == QUERY)
        held.released.set()
        await asyncio.gather(*calls)


class Asking:
    """The model, which goes on only once the event loop has answered it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.answers = 0

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        answer = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        answer.result(WAIT_SECONDS)
        self.answers += 1
        return encoder().encode(sequences, width)


async def test_e1_the_event_loop_goes_on_while_the_model_works() -> None:
    model = Asking()
    async with embedding(model) as service:
        await service.Embed(request(256, pb.PRIORITY_BULK, 2), timeout=60)

    assert model.answers > 0
