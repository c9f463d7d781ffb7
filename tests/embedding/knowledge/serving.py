"""Document services as in production, on a real Postgres, with the real model."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.conftest import Keys
from tests.embedding.serving import services_meter
from tests.locks import held_up
from turnpike.api.embedding.v1 import collection_service_pb2 as collections_pb
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.collection_service_pb2_grpc import CollectionServiceStub
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.api.embedding.v1.source_service_pb2_grpc import (
    SourceServiceStub,
    add_SourceServiceServicer_to_server,
)
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls
from turnpike.embedding.__main__ import translate
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.knowledge.opening import open_knowledge
from turnpike.embedding.metering import Meter
from turnpike.embedding.model import Embeddings, Priority
from turnpike.embedding.opening import open_embedder
from turnpike.embedding.owing import Owed
from turnpike.embedding.planner import Planner
from turnpike.embedding.settings import Settings
from turnpike.embedding.sources.opening import open_sources
from turnpike.embedding.stores import Stores, open_stores
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials, Exchanged
from turnpike.rpc.errors import UnauthenticatedError
from turnpike.rpc.identity import Signer, bearer
from turnpike.rpc.server import listen, new_server
from turnpike.rpc.verifier import Verifier

Metadata = tuple[tuple[str, str], ...]


@dataclass
class Counted:
    """An embedder, and what it was asked for."""

    embedder: Embedder
    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By tenant: another test's work may still be under way."""

    priorities: set[Priority] = field(default_factory=set[Priority])

    async def embed(self, asked: Asked) -> Embeddings:
        self.texts.setdefault(asked.tenant, []).extend(asked.texts)
        self.priorities.add(asked.priority)
        return await self.embedder.embed(asked)

    @asynccontextmanager
    async def keeping(self, asked: Asked) -> AsyncGenerator[tuple[Embeddings, Owed | None]]:
        self.texts.setdefault(asked.tenant, []).extend(asked.texts)
        self.priorities.add(asked.priority)
        async with self.embedder.keeping(asked) as both:
            yield both

    def __getattr__(self, name: str) -> Any:
        return getattr(self.embedder, name)


@dataclass(frozen=True)
class Library:
    """A replica, as its callers see it."""

    collections: CollectionServiceStub
    documents: DocumentServiceStub
    sources: SourceServiceStub
    counted: Counted
    stores: Stores
    keys: Keys

    superuser_url: str

    @asynccontextmanager
    async def superuser(self) -> AsyncGenerator[AsyncConnection]:
        """Opens a transaction that may do anything."""
        async with open_engine(self.superuser_url) as engine, engine.begin() as connection:
            yield connection

    def tenant(self) -> "Tenant":
        """Returns a tenant that nobody has heard of."""
        return Tenant(self, str(uuid4()))


@dataclass(frozen=True)
class Tenant:
    """A tenant's member, with a collection `notes` once it was made."""

    library: Library
    id: str
    collection: str = "notes"

    def on(self, library: Library) -> "Tenant":
        """Returns the same tenant on another replica."""
        return Tenant(library, self.id)

    @property
    def embedded(self) -> list[str]:
        """What was embedded for the tenant since this was last cleared."""
        return self.library.counted.texts.setdefault(self.id, [])

    def as_principal(self, role: str = "member") -> Metadata:
        signer = Signer("gatekeeper", self.library.keys.seeds["gatekeeper"])
        token, _ = signer.principal_token(tenant=self.id, principal=self.id, role=role)
        return bearer(token)

    def as_service(self, name: str = "tool-registry") -> Metadata:
        return Signer(name, self.library.keys.seeds[name]).metadata_for(self.id, self.id)

    async def begin(self, **fields: Any) -> None:
        """Makes the collection."""
        collection = collections_pb.Collection(name=self.collection, **fields)
        await self.library.collections.CreateCollection(
            collections_pb.CreateCollectionRequest(collection=collection),
            metadata=self.as_principal("admin"),
        )

    async def call(self, method: str, request: Any) -> Any:
        """Calls a method of the document service as the tenant's member."""
        return await getattr(self.library.documents, method)(request, metadata=self.as_principal())

    async def put(self, path: str, content: str | bytes, **fields: Any) -> pb.PutDocumentResponse:
        encoded = content.encode() if isinstance(content, str) else content
        request = pb.PutDocumentRequest(
            collection=self.collection, path=path, content=encoded, **fields
        )
        return await self.call("PutDocument", request)

    async def get(self, path: str) -> document_pb2.Document:
        request = pb.GetDocumentRequest(collection=self.collection, path=path)
        return (await self.call("GetDocument", request)).document

    async def read(self, path: str, **fields: Any) -> pb.ReadDocumentResponse:
        request = pb.ReadDocumentRequest(collection=self.collection, path=path, **fields)
        return await self.call("ReadDocument", request)

    async def indexed(self, path: str) -> document_pb2.Indexing:
        """Waits until a document is indexed, or cannot be."""
        last = document_pb2.Indexing()
        request = pb.WatchDocumentRequest(collection=self.collection, path=path)
        stream = self.library.documents.WatchDocument(
            request, metadata=self.as_principal(), timeout=60
        )
        async for response in stream:
            last = response.indexing
        return last

    async def paths(self) -> list[str]:
        """Returns where documents are."""
        request = pb.ListDocumentsRequest(collection=self.collection, page_size=500)
        response = await self.call("ListDocuments", request)
        return [document.path for document in response.documents]

    async def folders(self) -> list[str]:
        """Returns every folder."""
        request = pb.ListFoldersRequest(collection=self.collection, page_size=500)
        return list((await self.call("ListFolders", request)).folders)

    async def vectors(self) -> list[tuple[Any, ...]]:
        """Returns all that a search can find, to the last bit."""
        statement = text(
            "SELECT d.path, p.position, p.starts, p.ends, c.text, c.header,"
            " CAST(c.embedding AS text), CAST(c.terms AS text), c.live"
            " FROM documents d"
            " JOIN passages p ON p.tenant = d.tenant AND p.indexing = d.indexing"
            " JOIN chunks c ON c.tenant = p.tenant AND c.id = p.chunk"
            " WHERE d.tenant = :tenant ORDER BY d.path, p.position"
        )
        async with self.library.stores.system.connect() as connection:
            rows = await connection.execute(statement, {"tenant": UUID(self.id)})
            return [tuple(row) for row in rows]

    async def written(self) -> dict[str, int]:
        """Returns the transaction that wrote each chunk last, by its text."""
        statement = text(
            "SELECT text, CAST(CAST(xmin AS text) AS bigint) FROM chunks WHERE tenant = :tenant"
        )
        async with self.library.stores.system.connect() as connection:
            rows = await connection.execute(statement, {"tenant": UUID(self.id)})
            return {row[0]: row[1] for row in rows}

    async def live(self) -> int:
        """Returns how many chunks searches find."""
        statement = text("SELECT count(*) FROM chunks WHERE tenant = :tenant AND live")
        async with self.library.stores.system.connect() as connection:
            return await connection.scalar(statement, {"tenant": UUID(self.id)}) or 0


def settings_for(urls: MigrationUrls, keys: Keys, blobs: Path, **others: Any) -> Settings:
    """Returns a replica's settings as values."""
    values: dict[str, Any] = {
        "database_url": urls.service,
        "system_database_url": urls.system,
        "blobs_url": f"file://{blobs}",
        "gatekeeper_target": "ipv4:127.0.0.1:1",
        "signing_key": keys.signing("embedding"),
        "trusted_keys": keys.trusted,
        **others,
    }
    return Settings(**values)


@asynccontextmanager
async def library(
    settings: Settings,
    keys: Keys,
    urls: MigrationUrls,
    planner: Planner | None = None,
    meter: Meter | None = None,
) -> AsyncGenerator[Library]:
    """Serves documents while the block runs, with a planner or with none."""
    planner = planner or Planner(None, Signer("embedding", keys.seeds["embedding"]))
    public = {name: _public(seed) for name, seed in keys.seeds.items()}
    credentials = Credentials(Verifier(public), _refuse_key)
    async with (
        open_stores(settings) as stores,
        services_meter() as free,
        open_embedder(settings, meter or free) as embedder,
    ):
        counted = Counted(embedder)
        async with (
            open_knowledge(settings, stores, counted, planner) as knowledge,  # pyright: ignore[reportArgumentType] # it is one, and counts
            open_channel(settings.tool_registry_target or "ipv4:127.0.0.1:1") as tool_registry,
            open_sources(settings, stores, knowledge, tool_registry) as sources,
        ):
            server = new_server("embedding", authenticate=credentials.caller, translate=translate)
            knowledge.add_to(server)
            add_SourceServiceServicer_to_server(sources, server)
            port = listen(server, "127.0.0.1:0")
            await server.start()
            try:
                async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
                    yield _library(channel, counted, stores, keys, urls)
            finally:
                await server.stop(None)


@asynccontextmanager
async def killed(
    urls: MigrationUrls, keys: Keys, blobs: Path, **others: str
) -> AsyncGenerator[None]:
    """Runs a replica as a process while the block runs, and kills it then.

    Others are further settings, by the names of their variables.
    """
    settings = {
        "DATABASE_URL": urls.service,
        "SYSTEM_DATABASE_URL": urls.system,
        "BLOBS_URL": f"file://{blobs}",
        "GATEKEEPER_TARGET": "ipv4:127.0.0.1:1",
        "SIGNING_KEY": keys.signing("embedding"),
        "TRUSTED_KEYS": json.dumps(keys.trusted),
        "LISTEN_ADDRESS": "127.0.0.1:0",
        "METRICS_ADDRESS": "127.0.0.1:0",
        **others,
    }
    environment = {f"EMBEDDING_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnpike.embedding", env={"PATH": os.environ["PATH"], **environment}
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def held(urls: MigrationUrls, statement: str) -> AsyncGenerator[None]:
    """Holds what a statement locks while the block runs."""
    connection = await asyncpg.connect(urls.migration)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def holding(tenant: Tenant, statement: str) -> AsyncGenerator[AsyncConnection]:
    """Has others wait for what a statement locks, while the block runs."""
    async with tenant.library.superuser() as connection:
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await connection.execute(text("SET LOCAL search_path TO embedding"))
        await connection.execute(text(statement))
        yield connection


async def waits(tenant: Tenant, statement: str) -> None:
    """Returns when somebody waits for a lock with a statement that has this in it."""
    connection = await asyncpg.connect(tenant.library.superuser_url)
    try:
        await held_up(connection, statement)
    finally:
        await connection.close()


def _library(
    channel: grpc.aio.Channel, counted: Counted, stores: Stores, keys: Keys, urls: MigrationUrls
) -> Library:
    return Library(
        collections=CollectionServiceStub(channel),
        documents=DocumentServiceStub(channel),
        sources=SourceServiceStub(channel),
        counted=counted,
        stores=stores,
        keys=keys,
        superuser_url=urls.migration,
    )


def _public(seed: bytes) -> bytes:

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


async def _refuse_key(_credential: str, /) -> Exchanged:
    raise UnauthenticatedError("there are no keys here")
