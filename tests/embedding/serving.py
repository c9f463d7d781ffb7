"""The service, composed for a test: real model, real server, real channel."""

import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from secrets import token_bytes

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from turnpike.api.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from turnpike.embedding.backends import minilm
from turnpike.embedding.backends.encoder import Encoder
from turnpike.embedding.backends.word_pieces import WordPieces
from turnpike.embedding.batcher import Batcher
from turnpike.embedding.batcher import Encoder as AnyEncoder
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.offload import Offload
from turnpike.embedding.servicer import EmbeddingServicer
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials, Exchanged
from turnpike.rpc.errors import UnauthenticatedError
from turnpike.rpc.identity import GATEKEEPER, Signer, Verifier
from turnpike.rpc.server import listen, new_server

WAIT_SECONDS = 20
"""How long a test waits for what must happen."""


@cache
def encoder() -> Encoder:
    return minilm.load_encoder(1)


@cache
def word_pieces() -> WordPieces:
    return minilm.load_word_pieces()


class HeldEncoder:
    """The model, where batches of one width wait until the test lets them go."""

    def __init__(self, width: int) -> None:
        self._held = width
        self.widths: list[int] = []
        """The width of each batch, in the order in which they began."""

        self.began = threading.Event()
        self.released = threading.Event()

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        self.widths.append(width)
        if width == self._held:
            self.began.set()
            assert self.released.wait(WAIT_SECONDS)
        return encoder().encode(sequences, width)


@asynccontextmanager
async def embedding(
    model: AnyEncoder | None = None, *, workers: int = 2, max_queued_tokens: int = 262_144
) -> AsyncGenerator[EmbeddingServiceStub]:
    """Serves embedding while the block runs, and yields a client with a credential."""
    with (
        Offload("tokenize", threads=2, max_waiting=32_000_000) as tokenizing,
        Offload("chunk", threads=1, max_waiting=32_000_000) as chunking,
        ThreadPoolExecutor(workers) as executor,
    ):
        batcher = Batcher(
            Lazy[AnyEncoder](executor, lambda: model or encoder()),
            executor,
            max_batch_tokens=512,
            max_queued_tokens=max_queued_tokens,
        )
        pieces = Lazy(tokenizing.executor, word_pieces)
        async with batcher.working(workers):
            embedder = Embedder(pieces, batcher, tokenizing=tokenizing, chunking=chunking)
            async with _served(embedder) as stub:
                yield stub


@asynccontextmanager
async def _served(embedder: Embedder) -> AsyncGenerator[EmbeddingServiceStub]:
    seed = token_bytes(32)
    signer = Signer(GATEKEEPER, seed)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    credentials = Credentials(Verifier({GATEKEEPER: public}), _refuse_key)
    server = new_server("embedding", authenticate=credentials.caller)
    add_EmbeddingServiceServicer_to_server(EmbeddingServicer(embedder), server)
    port = listen(server, "127.0.0.1:0")
    await server.start()

    def token() -> str:
        return signer.principal_token(tenant="t", principal="p", role="viewer")[0]

    try:
        async with open_channel(f"ipv4:127.0.0.1:{port}", authorization=token) as channel:
            yield EmbeddingServiceStub(channel)
    finally:
        await server.stop(None)


async def _refuse_key(_credential: str, /) -> Exchanged:
    raise UnauthenticatedError("there are no keys here")
