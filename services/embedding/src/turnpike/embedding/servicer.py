"""Wire ↔ model."""

from typing import Any, TypeAlias

import grpc

from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.model import Chunks, Embeddings, Priority, Strategy, TooLong

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

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
        embeddings = await self._embedder.embed(
            request.input,
            model=request.model,
            priority=_PRIORITIES[request.priority],
            too_long=_TOO_LONG[request.too_long],
        )
        return _embeddings_to_proto(embeddings)

    async def Chunk(self, request: pb.ChunkRequest, context: Context) -> pb.ChunkResponse:
        chunks = await self._embedder.chunk(
            request.text,
            model=request.model,
            strategy=_STRATEGIES[request.strategy],
            max_tokens=request.max_tokens,
            overlap=request.overlap,
        )
        return _chunks_to_proto(chunks)


def _embeddings_to_proto(embeddings: Embeddings) -> pb.EmbedResponse:
    return pb.EmbedResponse(
        embeddings=[
            pb.Embedding(vector=item.vector, tokens=item.tokens, truncated=item.truncated)
            for item in embeddings.items
        ],
        model=embeddings.model,
        dimensions=embeddings.dimensions,
        tokens=sum(item.tokens for item in embeddings.items),
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
            )
            for item in chunks.items
        ],
        model=chunks.model,
    )
