"""What is computed once: texts that were embedded before, or that others wait for."""

import asyncio

from tests.embedding.serving import HeldEncoder, embedding
from tests.embedding.test_batching import FIRST, OTHER, hold, metric, request, start
from tests.waiting import until
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb


async def test_equal_texts_in_flight_are_computed_once() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1, cache_bytes=0) as service:
        first = await hold(service, held, pb.PRIORITY_BULK)
        shared = metric("shared_texts_total", "bulk")
        asked = request(OTHER, pb.PRIORITY_BULK)
        calls = [start(service, asked) for _ in range(5)]
        await until(lambda: metric("shared_texts_total", "bulk") == shared + 4)

        held.released.set()
        answers = await asyncio.gather(*calls)
        await first

    assert held.widths == [FIRST, OTHER]
    assert len({answer.embeddings[0].vector for answer in answers}) == 1


async def test_a_text_that_others_wait_for_outlives_the_caller_that_asked_first() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1, cache_bytes=0) as service:
        first = await hold(service, held, pb.PRIORITY_BULK)
        dropped = metric("dropped_texts_total", "bulk")
        asked, lone = request(OTHER, pb.PRIORITY_BULK), request(OTHER, pb.PRIORITY_BULK)
        both = [*asked.input, *lone.input]
        gone = start(service, pb.EmbedRequest(input=both, priority=pb.PRIORITY_BULK))
        await until(lambda: metric("queued_tokens", "bulk") == 2 * OTHER)
        shared = metric("shared_texts_total", "bulk")
        stays = start(service, asked)
        await until(lambda: metric("shared_texts_total", "bulk") == shared + 1)

        gone.cancel()
        await until(lambda: metric("dropped_texts_total", "bulk") == dropped + 1)
        held.released.set()
        answer = await asyncio.wait_for(stays, 15)
        await first

    assert len(answer.embeddings) == 1


async def test_bulk_work_that_a_query_asks_for_goes_first() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1, cache_bytes=0) as service:
        calls = [await hold(service, held, pb.PRIORITY_BULK)]
        calls.append(start(service, request(32, pb.PRIORITY_BULK)))
        await until(lambda: metric("queued_tokens", "bulk") == 32)
        shared = request(OTHER, pb.PRIORITY_BULK)
        calls.append(start(service, shared))
        await until(lambda: metric("queued_tokens", "bulk") == 32 + OTHER)
        calls.append(start(service, pb.EmbedRequest(input=shared.input)))
        await until(lambda: metric("queued_tokens", "interactive") == OTHER)

        held.released.set()
        await asyncio.gather(*calls)

    assert held.widths == [FIRST, OTHER, 32]


async def test_a_text_that_was_embedded_before_is_not_computed_again() -> None:
    held = HeldEncoder(0)
    async with embedding(held) as service:
        asked = request(OTHER, pb.PRIORITY_INTERACTIVE)
        first = await service.Embed(asked)
        again = await service.Embed(asked)

    assert held.widths == [OTHER]
    assert again == first


async def test_what_is_kept_is_bounded_and_the_longest_unused_goes() -> None:
    held = HeldEncoder(0)
    vector = 384 * 4 + 200
    async with embedding(held, cache_bytes=2 * vector) as service:
        one, two, three = (request(OTHER, pb.PRIORITY_INTERACTIVE) for _ in range(3))
        for asked in (one, two, one, three, one):
            await service.Embed(asked)
        assert held.widths == [OTHER] * 3

        await service.Embed(two)

    assert held.widths == [OTHER] * 4
