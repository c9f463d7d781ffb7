"""What callers of EmbedStream rely on, and of vectors in half their size."""

from collections.abc import AsyncGenerator

import grpc
import numpy as np
import pytest

from tests.embedding.serving import HeldEncoder, embedding
from tests.embedding.test_batching import FIRST, OTHER, hold, metric, request
from tests.waiting import until
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.rpc.errors import from_rpc_error


async def test_groups_are_answered_in_their_order(service: EmbeddingServiceStub) -> None:
    groups = [["a long text about roads " * 20, "b"], ["c"], ["d", "e", "f"], ["g"], ["h"], ["i"]]

    async def asked() -> AsyncGenerator[pb.EmbedStreamRequest]:
        for group in groups:
            yield pb.EmbedStreamRequest(embed=pb.EmbedRequest(input=group))

    answers = [answer.embed async for answer in service.EmbedStream(asked())]

    alone = [await service.Embed(pb.EmbedRequest(input=group)) for group in groups]
    assert answers == alone


async def test_a_group_is_answered_while_the_client_holds_back_the_next(
    service: EmbeddingServiceStub,
) -> None:
    call = service.EmbedStream()
    for text in ("one", "two"):
        await call.write(pb.EmbedStreamRequest(embed=pb.EmbedRequest(input=[text])))
        answer = await call.read()
        assert isinstance(answer, pb.EmbedStreamResponse)
        assert len(answer.embed.embeddings) == 1
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_stream_waits_where_a_call_is_refused() -> None:
    held = HeldEncoder(FIRST)
    async with embedding(held, workers=1, max_queued_tokens=OTHER) as service:
        first = await hold(service, held, pb.PRIORITY_BULK)
        call = service.EmbedStream()
        for _ in range(3):
            bulk = request(OTHER, pb.PRIORITY_BULK)
            await call.write(pb.EmbedStreamRequest(embed=bulk))
        await until(lambda: metric("queued_tokens", "bulk") >= OTHER)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.Embed(request(OTHER, pb.PRIORITY_BULK))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

        held.released.set()
        answers = [await call.read() for _ in range(3)]
        await call.done_writing()
        await first

    assert all(isinstance(answer, pb.EmbedStreamResponse) for answer in answers)


async def test_a_group_that_is_refused_ends_the_stream(service: EmbeddingServiceStub) -> None:
    async def asked() -> AsyncGenerator[pb.EmbedStreamRequest]:
        yield pb.EmbedStreamRequest(embed=pb.EmbedRequest(input=["fine"]))
        yield pb.EmbedStreamRequest(embed=pb.EmbedRequest())

    answers = service.EmbedStream(asked())

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        _ = [answer async for answer in answers]
    assert from_rpc_error(refused.value).fields[0][0] == "embed.input"


async def test_halves_are_the_same_vectors(service: EmbeddingServiceStub) -> None:
    texts = ["The toll is due at the gate.", "Fish swim."]

    whole = await service.Embed(pb.EmbedRequest(input=texts))
    half = await service.Embed(pb.EmbedRequest(input=texts, dtype=pb.DTYPE_F16))

    assert (whole.dtype, half.dtype) == (pb.DTYPE_F32, pb.DTYPE_F16)
    for wide, narrow in zip(whole.embeddings, half.embeddings, strict=True):
        assert len(narrow.vector) * 2 == len(wide.vector)
        assert np.frombuffer(wide.vector, "<f4") @ np.frombuffer(narrow.vector, "<f2") > 0.999
