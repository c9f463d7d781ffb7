"""Embedding's composition root: the only module that knows every other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc

from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceStub
from turnpike.api.embedding.v1 import embedding_service_pb2, search_service_pb2
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import (
    add_EmbeddingServiceServicer_to_server,
)
from turnpike.api.embedding.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from turnpike.api.embedding.v1.source_service_pb2_grpc import add_SourceServiceServicer_to_server
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.database.failures import is_unavailable
from turnpike.embedding.knowledge.opening import SERVICES as KNOWLEDGE_SERVICES
from turnpike.embedding.knowledge.opening import open_knowledge
from turnpike.embedding.metering import METERING, Meter
from turnpike.embedding.opening import open_embedder
from turnpike.embedding.owing import Outbox
from turnpike.embedding.planner import Planner
from turnpike.embedding.reranking import open_reranker
from turnpike.embedding.searching.planned import PlannedSearch
from turnpike.embedding.searching.search import Search
from turnpike.embedding.searching.servicer import SearchServicer
from turnpike.embedding.servicer import EmbeddingServicer
from turnpike.embedding.settings import Settings
from turnpike.embedding.sources.opening import SERVICES as SOURCE_SERVICES
from turnpike.embedding.sources.opening import open_sources
from turnpike.embedding.stores import Stores, open_stores
from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import InvalidArgumentError, ServiceError, UnavailableError
from turnpike.rpc.gatekeeper import AUTHENTICATE, watched_credentials
from turnpike.rpc.identity import Signer
from turnpike.rpc.process import metrics_served, start
from turnpike.rpc.server import listen, new_server, serve_until_signalled

SERVICES = (
    embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name,
    search_service_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name,
    *KNOWLEDGE_SERVICES,
    *SOURCE_SERVICES,
)

_NOWHERE = "dns:///tool-registry.invalid:1"

# A NUL in a text, or in a text of a JSON document.
_NO_TEXT = frozenset({"22021", "22P05"})


async def serve(settings: Settings) -> None:
    """Serves embedding until told to stop, then closes what it opened."""
    async with (
        open_channel(
            settings.gatekeeper_target,
            tls=settings.tls,
            authorization=Signer(settings.service(), settings.signing_key).for_tenant,
            idempotent=[AUTHENTICATE, *METERING],
        ) as gatekeeper,
        watched_credentials(gatekeeper, settings) as credentials,
        open_stores(settings) as stores,
        _meter(gatekeeper, stores) as meter,
        open_embedder(settings, meter) as embedder,
        _planner(settings) as planner,
        open_reranker(settings) as reranker,
        open_knowledge(settings, stores, embedder, planner) as knowledge,
        open_channel(settings.tool_registry_target or _NOWHERE, tls=settings.tls) as tool_registry,
        open_sources(settings, stores, knowledge, tool_registry) as sources,
        metrics_served(settings.metrics_address),
    ):
        server = new_server(
            settings.service(),
            authenticate=credentials.caller,
            until_revoked=credentials.until_revoked,
            translate=translate,
        )
        add_EmbeddingServiceServicer_to_server(EmbeddingServicer(embedder), server)
        knowledge.add_to(server)
        add_SourceServiceServicer_to_server(sources, server)
        search = Search(
            stores.engine,
            embedder,
            exact_most=settings.exact_search_vectors,
            reranker=reranker,
        )
        planned = PlannedSearch(search, planner, patience=settings.planner_timeout)
        add_SearchServiceServicer_to_server(SearchServicer(planned), server)
        listen(server, settings.listen_address, settings.tls)
        await serve_until_signalled(
            server,
            drain_time=settings.drain_time,
            grace_time=settings.grace_time,
            services=SERVICES,
        )


@asynccontextmanager
async def _meter(gatekeeper: grpc.aio.Channel, stores: Stores) -> AsyncGenerator[Meter]:
    meter = Meter(GatekeeperServiceStub(gatekeeper), Outbox(stores.system))
    async with meter.settling():
        yield meter


@asynccontextmanager
async def _planner(settings: Settings) -> AsyncGenerator[Planner]:
    signer = Signer(settings.service(), settings.signing_key)
    if not settings.agent_runtime_target:
        yield Planner(None, signer)
        return
    async with open_channel(settings.agent_runtime_target, tls=settings.tls) as channel:
        yield Planner(CompletionServiceStub(channel), signer)


def translate(error: Exception) -> ServiceError | None:
    """Says what a driver's exception means to a caller."""
    if is_unavailable(error):
        return UnavailableError("the database does not answer; try again")
    states = {getattr(error, "sqlstate", ""), getattr(error.__cause__, "sqlstate", "")}
    if states & _NO_TEXT:
        return InvalidArgumentError("request", "a text holds a character that none may hold")
    return None


def main() -> None:
    """Runs embedding from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
