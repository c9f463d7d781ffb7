"""The service, composed for a test: real model, real server, real channel."""

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import cache
from secrets import token_bytes
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tokenizers import Tokenizer

from tests.embedding.bert_reference import MODEL
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.database.engine import open_engine
from turnpike.embedding.backends import minilm
from turnpike.embedding.backends.encoder import Encoder
from turnpike.embedding.backends.word_pieces import WordPieces
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.engines import Encoder as AnyEncoder
from turnpike.embedding.metering import Meter
from turnpike.embedding.opening import open_embedder
from turnpike.embedding.owing import Outbox
from turnpike.embedding.servicer import EmbeddingServicer
from turnpike.embedding.settings import Settings
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials, Exchanged
from turnpike.rpc.errors import UnauthenticatedError
from turnpike.rpc.identity import GATEKEEPER, Signer
from turnpike.rpc.server import listen, new_server, serving
from turnpike.rpc.verifier import Verifier

WAIT_SECONDS = 20
"""How long a test waits for what must happen."""


@cache
def encoder() -> Encoder:
    return minilm.load_encoder(1)


@cache
def word_pieces() -> WordPieces:
    return minilm.load_word_pieces()


@cache
def single_tokens() -> list[str]:
    """Returns words that are one token each."""
    vocabulary = Tokenizer.from_file(str(MODEL / "tokenizer.json")).get_vocab()
    return sorted(word for word in vocabulary if word.isascii() and word.isalpha())


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


def settings_for(**others: Any) -> Settings:
    """Returns a replica's settings; `others` override."""
    values: dict[str, Any] = {
        "database_url": "postgresql://nobody.invalid/",
        "system_database_url": "postgresql://nobody.invalid/",
        "gatekeeper_target": "dns:///nobody.invalid:1",
        "signing_key": token_bytes(32),
        "trusted_keys": {},
        **others,
    }
    return Settings(**values)


@asynccontextmanager
async def services_meter() -> AsyncGenerator[Meter]:
    """Lends a meter for services' calls, for whom neither gatekeeper nor an outbox is asked."""
    async with (
        open_channel("dns:///nobody.invalid:1") as gatekeeper,
        open_engine("postgresql://nobody.invalid/") as outbox,
    ):
        yield Meter(GatekeeperServiceStub(gatekeeper), Outbox(outbox))


@asynccontextmanager
async def embedding(
    model: AnyEncoder | None = None,
    *,
    meter: Meter | None = None,
    person: tuple[str, str] | None = None,
    **settings: Any,
) -> AsyncGenerator[EmbeddingServiceStub]:
    """Serves embedding while the block runs, and yields a client of it.

    Its credential is that of a tenant's `person`; without one a service's, for whom
    gatekeeper is not asked.
    """
    async with AsyncExitStack() as stack:
        if meter is None:
            meter = await stack.enter_async_context(services_meter())
        opened = open_embedder(
            settings_for(**settings), meter, load_encoder=lambda: model or encoder()
        )
        embedder = await stack.enter_async_context(opened)
        yield EmbeddingServiceStub(await stack.enter_async_context(served(embedder, person)))


@asynccontextmanager
async def served(
    embedder: Embedder, person: tuple[str, str] | None = None
) -> AsyncGenerator[grpc.aio.Channel]:
    """Serves an embedder while the block runs; yields a channel with a credential."""
    seed = token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    credentials = Credentials(Verifier({"agent-runtime": public, GATEKEEPER: public}), _refuse_key)
    server = new_server("embedding", authenticate=credentials.caller)
    add_EmbeddingServiceServicer_to_server(EmbeddingServicer(embedder), server)
    port = listen(server, "127.0.0.1:0")

    def token() -> str:
        if person is None:
            return Signer("agent-runtime", seed).for_tenant("t", "p", "viewer")
        tenant, principal = person
        signer = Signer(GATEKEEPER, seed)
        return signer.principal_token(tenant=tenant, principal=principal, role="viewer")[0]

    target = f"ipv4:127.0.0.1:{port}"
    async with (
        serving(server, grace_time=timedelta(0)),
        # Whichever test is first loads the model, and litellm.
        open_channel(target, authorization=token, deadline=timedelta(seconds=90)) as channel,
    ):
        yield channel


async def _refuse_key(_credential: str, /) -> Exchanged:
    raise UnauthenticatedError("there are no keys here")
