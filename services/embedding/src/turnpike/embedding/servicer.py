"""Wire ↔ model."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.metering import Payer
from turnpike.embedding.model import (
    Chunks,
    Dtype,
    Embeddings,
    InputType,
    Priority,
    Strategy,
    TooLong,
)
from turnpike.embedding.streaming import embed_groups
from turnpike.rpc.identity import Caller
from turnpike.rpc.served import Context, caller_of
from turnpike.rpc.validation import check_request

_PRIORITIES = {
    pb.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    pb.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    pb.PRIORITY_BULK: Priority.BULK,
}
_TOO_LONG = {
    pb.TOO_LONG_UNSPECIFIED: TooLong.REFUSE,
    pb.TOO_LONG_REFUSE: TooLong.REFUSE,
    pb.TOO_LONG_TRUNCATE: TooLong.TRUNCATE,
}
_INPUT_TYPES = {
    pb.INPUT_TYPE_UNSPECIFIED: InputType.DOCUMENT,
    pb.INPUT_TYPE_DOCUMENT: InputType.DOCUMENT,
    pb.INPUT_TYPE_QUERY: InputType.QUERY,
}
_DTYPES = {
    pb.DTYPE_UNSPECIFIED: Dtype.F32,
    pb.DTYPE_F32: Dtype.F32,
    pb.DTYPE_F16: Dtype.F16,
}
_DTYPE_MESSAGES = {Dtype.F32: pb.DTYPE_F32, Dtype.F16: pb.DTYPE_F16}
_STRATEGIES = {
    pb.STRATEGY_UNSPECIFIED: Strategy.RECURSIVE,
    pb.STRATEGY_RECURSIVE: Strategy.RECURSIVE,
    pb.STRATEGY_CODE: Strategy.CODE,
    pb.STRATEGY_TABLE: Strategy.TABLE,
}


class EmbeddingServicer(EmbeddingServiceServicer):
    """Serves turnpike.api.embedding.v1.EmbeddingService."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def Embed(self, request: pb.EmbedRequest, context: Context) -> pb.EmbedResponse:
        asked = _asked(request, caller_of(context), context.time_remaining())
        return _embeddings_to_proto(await self._embedder.embed(asked))

    async def EmbedStream(
        self, request_iterator: AsyncIterator[pb.EmbedStreamRequest], context: Context
    ) -> AsyncGenerator[pb.EmbedStreamResponse]:
        caller = caller_of(context)

        async def groups() -> AsyncGenerator[Asked]:
            async for request in request_iterator:
                check_request(request)
                yield _asked(request.embed, caller, None)

        async with (
            aclosing(groups()) as asked,
            aclosing(embed_groups(self._embedder, asked)) as answers,
        ):
            async for embeddings in answers:
                yield pb.EmbedStreamResponse(embed=_embeddings_to_proto(embeddings))

    async def Chunk(self, request: pb.ChunkRequest, context: Context) -> pb.ChunkResponse:
        chunks = await self._embedder.chunk(
            request.text,
            model=request.model,
            strategy=_STRATEGIES[request.strategy],
            max_tokens=request.max_tokens,
            overlap=request.overlap,
            language=request.language,
        )
        return _chunks_to_proto(chunks)


def _asked(request: pb.EmbedRequest, caller: Caller, patience: float | None) -> Asked:
    return Asked(
        texts=request.input,
        model=request.model,
        priority=_PRIORITIES[request.priority],
        too_long=_TOO_LONG[request.too_long],
        input_type=_INPUT_TYPES[request.input_type],
        dtype=_DTYPES[request.dtype],
        dimensions=request.dimensions,
        tenant=caller.tenant,
        payer=payer_of(caller),
        patience=patience,
    )


def payer_of(caller: Caller) -> Payer | None:
    """Returns whose call it is; None for a service that acts for itself."""
    if not (caller.tenant and caller.principal):
        return None
    return Payer(
        tenant=caller.tenant,
        principal=caller.principal,
        key=caller.key,
        by_service=bool(caller.service),
    )


def _embeddings_to_proto(embeddings: Embeddings) -> pb.EmbedResponse:
    return pb.EmbedResponse(
        embeddings=[
            pb.Embedding(vector=item.vector, tokens=item.tokens, truncated=item.truncated)
            for item in embeddings.items
        ],
        model=embeddings.model,
        dimensions=embeddings.dimensions,
        tokens=sum(item.tokens for item in embeddings.items),
        dtype=_DTYPE_MESSAGES[embeddings.dtype],
    )


def _chunks_to_proto(chunks: Chunks) -> pb.ChunkResponse:
    return pb.ChunkResponse(
        chunks=[
            pb.Chunk(
                text=item.text,
                start=item.start,
                end=item.end,
                tokens=item.tokens,
                header=item.header,
                headings=item.headings,
                first_line=item.first_line,
                last_line=item.last_line,
            )
            for item in chunks.items
        ],
        model=chunks.model,
    )
