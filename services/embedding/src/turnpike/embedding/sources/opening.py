"""Everything about sources, put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc

from turnpike.api.embedding.v1 import source_service_pb2
from turnpike.api.tool_registry.v1.resource_service_pb2_grpc import ResourceServiceStub
from turnpike.embedding.knowledge.opening import Knowledge
from turnpike.embedding.settings import Settings
from turnpike.embedding.sources.configuring import Sources
from turnpike.embedding.sources.registry import Registry
from turnpike.embedding.sources.servicer import SourceServicer
from turnpike.embedding.sources.shelving import Shelf
from turnpike.embedding.sources.syncing import Syncing
from turnpike.embedding.sources.working import Workers
from turnpike.embedding.stores import Stores
from turnpike.rpc.identity import Signer

SERVICES = (source_service_pb2.DESCRIPTOR.services_by_name["SourceService"].full_name,)


@asynccontextmanager
async def open_sources(
    settings: Settings, stores: Stores, knowledge: Knowledge, tool_registry: grpc.aio.Channel
) -> AsyncGenerator[SourceServicer]:
    """Runs sources while the block runs, and yields what serves them."""
    registry = Registry(
        ResourceServiceStub(tool_registry),
        Signer(settings.service(), settings.signing_key),
        read_seconds=settings.source_read_seconds,
        max_bytes=settings.max_document_bytes,
    )
    shelf = Shelf(knowledge.writing, knowledge.limits)
    workers = Workers(stores.system, Syncing(stores.engine, registry, shelf))
    # Without tool-registry nobody could do what would be claimed.
    async with workers.working(settings.source_jobs if settings.tool_registry_target else 0):
        yield SourceServicer(Sources(stores.engine))
