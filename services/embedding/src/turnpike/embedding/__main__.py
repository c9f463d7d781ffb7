"""Embedding's composition root: the only module that knows every other."""

from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from turnpike.api.embedding.v1.embedding_service_pb2 import DESCRIPTOR
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import (
    add_EmbeddingServiceServicer_to_server,
)
from turnpike.embedding.backends import minilm
from turnpike.embedding.batcher import Batcher
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.offload import Offload
from turnpike.embedding.servicer import EmbeddingServicer
from turnpike.embedding.settings import Settings
from turnpike.embedding.stores import open_stores
from turnpike.rpc.channel import open_channel
from turnpike.rpc.gatekeeper import AUTHENTICATE, watched_credentials
from turnpike.rpc.process import metrics_served, start
from turnpike.rpc.server import listen, new_server, serve_until_signalled


async def serve(settings: Settings) -> None:
    """Serves embedding until told to stop, then closes what it opened."""
    async with (
        open_channel(
            settings.gatekeeper_target, tls=settings.tls, idempotent=[AUTHENTICATE]
        ) as gatekeeper,
        watched_credentials(gatekeeper, settings) as credentials,
        open_stores(settings),
        _embedder(settings) as embedder,
        metrics_served(settings.metrics_address),
    ):
        server = new_server(
            settings.service(),
            authenticate=credentials.caller,
            until_revoked=credentials.until_revoked,
        )
        add_EmbeddingServiceServicer_to_server(EmbeddingServicer(embedder), server)
        listen(server, settings.listen_address, settings.tls)
        await serve_until_signalled(
            server,
            drain_time=settings.drain_time,
            grace_time=settings.grace_time,
            services=[DESCRIPTOR.services_by_name["EmbeddingService"].full_name],
        )


@asynccontextmanager
async def _embedder(settings: Settings) -> AsyncGenerator[Embedder]:
    limit = settings.max_waiting_characters
    with (
        Offload("tokenize", threads=2, max_waiting=limit) as tokenizing,
        Offload("chunk", threads=1, max_waiting=limit) as chunking,
        ThreadPoolExecutor(settings.workers, thread_name_prefix="embed") as embedding,
    ):
        load_encoder = partial(minilm.load_encoder, settings.intra_op_threads)
        batcher = Batcher(
            Lazy(embedding, load_encoder),
            embedding,
            max_batch_tokens=settings.max_batch_tokens,
            max_queued_tokens=settings.max_queued_tokens,
        )
        word_pieces = Lazy(tokenizing.executor, minilm.load_word_pieces)
        async with batcher.working(settings.workers):
            yield Embedder(word_pieces, batcher, tokenizing=tokenizing, chunking=chunking)


def main() -> None:
    """Runs embedding from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
