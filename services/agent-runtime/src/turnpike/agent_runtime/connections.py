"""What a replica is connected to, from its start to its end."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import grpc
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.models.clients import Clients, open_clients
from turnpike.agent_runtime.settings import Settings
from turnpike.agent_runtime.tools.forgetting import Forgetting
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.tools.searching import ToolSearch
from turnpike.agent_runtime.tools.vectors import Vectors
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import ToolCallServiceStub
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceStub
from turnpike.blobs.model import BlobStore
from turnpike.blobs.opening import open_store
from turnpike.database.cache import open_redis
from turnpike.database.engine import open_engine, open_pool
from turnpike.rpc.channel import open_channel
from turnpike.rpc.identity import Signer
from turnpike.rpc.process import StartError

_IDEMPOTENT = [
    "turnpike.api.gatekeeper.v1.GatekeeperService/Authenticate",
    "turnpike.api.gatekeeper.v1.GatekeeperService/Admit",
    "turnpike.api.gatekeeper.v1.GatekeeperService/Release",
    "turnpike.api.gatekeeper.v1.GatekeeperService/Heartbeat",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Connections that everything shares."""

    engine: AsyncEngine
    system_engine: AsyncEngine
    pool: asyncpg.Pool
    system_pool: asyncpg.Pool
    redis: Redis
    blobs: BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """What is asked of others."""

    gatekeeper: grpc.aio.Channel
    registry: Registry
    forgetting: Forgetting
    search: ToolSearch
    clients: Clients


@asynccontextmanager
async def open_peers(settings: Settings) -> AsyncGenerator[Peers]:
    """Opens the ways to everybody whom a replica asks."""
    signer = Signer(settings.service(), settings.signing_key)
    async with (
        open_channel(
            settings.gatekeeper_target,
            tls=settings.tls,
            authorization=signer.for_tenant,
            idempotent=_IDEMPOTENT,
        ) as gatekeeper,
        open_channel(settings.tool_registry_target, tls=settings.tls) as registry,
        _search(settings, signer) as search,
        open_clients(allow_private=settings.egress_allow_private) as clients,
    ):
        tools = Registry(
            ConnectorServiceStub(registry),
            ToolCallServiceStub(registry),
            VariableServiceStub(registry),
            signer.metadata_for,
        )
        yield Peers(
            gatekeeper=gatekeeper,
            registry=tools,
            forgetting=Forgetting(ToolCallServiceStub(registry), signer.metadata_for),
            search=search,
            clients=clients,
        )


@asynccontextmanager
async def _search(settings: Settings, signer: Signer) -> AsyncGenerator[ToolSearch]:
    if not settings.embedding_target:
        yield ToolSearch(None)
        return
    async with open_channel(settings.embedding_target, tls=settings.tls) as channel:
        yield ToolSearch(Vectors(EmbeddingServiceStub(channel), signer.metadata_for))


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncGenerator[Stores]:
    """Connects to Postgres and Redis.

    Raises:
        StartError: Postgres does not answer.
    """
    url = settings.database_url.get_secret_value()
    system_url = settings.system_database_url.get_secret_value()
    async with (
        open_engine(url, pool_size=settings.pool_size) as engine,
        open_engine(system_url, pool_size=settings.pool_size) as system_engine,
        _pool(url, settings.pool_size) as pool,
        _pool(system_url, 3) as system_pool,
        open_redis(settings.redis_url.get_secret_value()) as redis,
        _blobs(settings) as blobs,
    ):
        yield Stores(
            engine=engine,
            system_engine=system_engine,
            pool=pool,
            system_pool=system_pool,
            redis=redis,
            blobs=blobs,
        )


@asynccontextmanager
async def _blobs(settings: Settings) -> AsyncGenerator[BlobStore]:
    store = open_store(settings, settings.service())
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _pool(url: str, max_size: int) -> AsyncGenerator[asyncpg.Pool]:
    try:
        pool = await open_pool(url, max_size=max_size)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error
    try:
        yield pool
    finally:
        pool.terminate()
