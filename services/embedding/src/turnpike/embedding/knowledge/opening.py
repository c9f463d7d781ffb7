"""Everything about documents, put together."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

import grpc

from turnpike.api.embedding.v1 import collection_service_pb2, document_service_pb2
from turnpike.api.embedding.v1.collection_service_pb2_grpc import (
    add_CollectionServiceServicer_to_server,
)
from turnpike.api.embedding.v1.document_service_pb2_grpc import (
    add_DocumentServiceServicer_to_server,
)
from turnpike.blobs.opening import open_store
from turnpike.embedding.children import Bounds
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.knowledge.collection_servicer import CollectionServicer
from turnpike.embedding.knowledge.collections import Collections
from turnpike.embedding.knowledge.comparing import Comparing
from turnpike.embedding.knowledge.content_rows import Limits
from turnpike.embedding.knowledge.document_servicer import DocumentServicer
from turnpike.embedding.knowledge.extraction import Extraction
from turnpike.embedding.knowledge.indexing import Indexer
from turnpike.embedding.knowledge.leftovers import Leftovers
from turnpike.embedding.knowledge.migrating import Migrations
from turnpike.embedding.knowledge.moving import Mover
from turnpike.embedding.knowledge.originals import Originals
from turnpike.embedding.knowledge.reading import Reading
from turnpike.embedding.knowledge.reverting import Reverting
from turnpike.embedding.knowledge.summarizing import Summarizing
from turnpike.embedding.knowledge.watching import Watching
from turnpike.embedding.knowledge.working import Workers
from turnpike.embedding.knowledge.writing import Writing
from turnpike.embedding.planner import Planner
from turnpike.embedding.settings import Settings
from turnpike.embedding.stores import Stores

SERVICES = (
    collection_service_pb2.DESCRIPTOR.services_by_name["CollectionService"].full_name,
    document_service_pb2.DESCRIPTOR.services_by_name["DocumentService"].full_name,
)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The servicers of documents, and what else writes them."""

    collections: CollectionServicer
    documents: DocumentServicer
    writing: Writing
    limits: Limits

    def add_to(self, server: grpc.aio.Server) -> None:
        """Has a server serve them."""
        add_CollectionServiceServicer_to_server(self.collections, server)
        add_DocumentServiceServicer_to_server(self.documents, server)


@asynccontextmanager
async def open_knowledge(
    settings: Settings, stores: Stores, embedder: Embedder, planner: Planner
) -> AsyncGenerator[Knowledge]:
    """Indexes documents while the block runs, and yields what serves them."""
    blobs = open_store(settings, settings.service())
    originals = Originals(stores.engine, blobs)
    limits = Limits(documents=settings.max_tenant_documents, total_bytes=settings.max_tenant_bytes)
    bounds = Bounds(
        seconds=settings.extraction_seconds, memory_bytes=settings.extraction_memory_bytes
    )
    extraction = Extraction(bounds, at_once=max(1, settings.index_jobs))
    indexer = Indexer(stores.engine, embedder, originals, extraction)
    workers = Workers(stores.system, indexer)
    mover = Mover(
        stores.system,
        stores.engine,
        embedder.catalogue,
        Comparing(stores.engine, embedder),
        workers.wake,
    )
    await mover.register()
    writing = Writing(
        stores.engine,
        originals,
        limits,
        workers.wake,
        max_document_bytes=settings.max_document_bytes,
        max_original_bytes=settings.max_original_bytes,
    )
    reading = Reading(stores.engine, originals)
    try:
        async with (
            workers.working(settings.index_jobs),
            _moving(mover, settings.index_jobs),
            Leftovers(stores.system, stores.engine, blobs).sweeping(),
        ):
            yield Knowledge(
                CollectionServicer(
                    Collections(stores.engine, embedder),
                    Migrations(stores.engine, embedder, mover.wake),
                ),
                DocumentServicer(
                    writing,
                    reading,
                    Reverting(stores.engine, writing, limits),
                    Watching(reading),
                    Summarizing(stores.engine, reading, embedder, planner),
                ),
                writing,
                limits,
            )
    finally:
        await blobs.close()


def _moving(mover: Mover, jobs: int) -> AbstractAsyncContextManager[None]:
    """Carries migrations on where documents are indexed."""
    return mover.moving() if jobs else nullcontext()
