"""Who is admitted to embed, and what it costs them: beside a real gatekeeper."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.conftest import Keys, Schemas
from tests.doubles.model_server import ModelServer
from tests.embedding.serving import HeldEncoder, embedding
from tests.embedding.test_batching import FIRST
from tests.embedding.test_models import provider
from tests.gatekeeper.money import Bank
from tests.gatekeeper.serving import Gatekeeper, Tenant
from tests.gatekeeper.serving import settings_for as gatekeeper_settings
from tests.ports import free_port
from tests.waiting import refusal, until
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.embedding.engines import Encoder
from turnpike.embedding.metering import Meter
from turnpike.embedding.owing import Outbox, Owed
from turnpike.gatekeeper.__main__ import open_server
from turnpike.gatekeeper.settings import Settings
from turnpike.rpc.channel import open_channel
from turnpike.rpc.identity import Signer

PRICE = 100_000_000
"""A hundred dollars for a million tokens: a hundred micro-dollars for one."""


@dataclass(frozen=True)
class Door:
    """A gatekeeper, and what is in its books."""

    tenant: Tenant
    bank: Bank
    meter: Meter
    system: AsyncEngine
    target: str
    serving: "Serving"

    @asynccontextmanager
    async def embedding(
        self, model: Encoder | None = None, **settings: Any
    ) -> AsyncGenerator[EmbeddingServiceStub]:
        """Serves embedding to the tenant's admin; after the block everything is settled."""
        person = (self.tenant.id, self.tenant.principal)
        async with embedding(model, meter=self.meter, person=person, **settings) as service:
            yield service

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Opens a transaction of the tenant's in which vectors may be kept."""
        return tenant_transaction(self.system, self.tenant.id)

    async def owed(self) -> list[Owed]:
        """Returns what the tenant owes."""
        statement = text(
            "SELECT call, tenant, snapshot, model, tokens, cached_tokens, estimated, tries"
            " FROM usage_outbox WHERE tenant = :tenant"
        )
        async with system_transaction(self.system) as connection:
            rows = await connection.execute(statement, {"tenant": UUID(self.tenant.id)})
            return [Owed(**row) for row in rows.mappings()]

    async def fall_due(self) -> None:
        """Lets the time pass after which what the tenant owes is somebody else's to settle."""
        statement = text(
            "UPDATE usage_outbox SET due_at = statement_timestamp() WHERE tenant = :tenant"
        )
        async with system_transaction(self.system) as connection:
            await connection.execute(statement, {"tenant": UUID(self.tenant.id)})

    async def is_settled(self) -> bool:
        return not await self.owed()


@dataclass
class Serving:
    """A gatekeeper that can go away, and come back under its address."""

    settings: Settings
    port: int = field(default_factory=free_port)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def come(self) -> None:
        server = await self.stack.enter_async_context(open_server(self.settings))
        server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        self.stack.push_async_callback(server.stop, None)

    async def leave(self) -> None:
        await self.stack.aclose()


@asynccontextmanager
async def _closing(connection: asyncpg.Connection) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def door(
    schemas: Schemas, own: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> AsyncGenerator[Door]:
    urls = await schemas.of("gatekeeper")
    signer = Signer("embedding", keys.seeds["embedding"])
    superuser = await asyncpg.connect(urls.migration, server_settings={"search_path": "gatekeeper"})
    serving = Serving(gatekeeper_settings(urls, valkey.url, keys))
    await serving.come()
    target = f"ipv4:127.0.0.1:{serving.port}"
    try:
        async with (
            _closing(superuser),
            open_engine(own.system) as system,
            open_channel(target, authorization=signer.for_tenant) as channel,
        ):
            tenant = await Gatekeeper(channel, keys).create_tenant()
            meter = Meter(GatekeeperServiceStub(channel), Outbox(system))
            yield Door(tenant, Bank(superuser), meter, system, target, serving)
    finally:
        await serving.leave()


async def test_what_is_embedded_is_billed_once_and_what_is_kept_is_free(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    async with door(schemas, outbox_urls, valkey, keys) as gate, ModelServer().listening() as url:
        await gate.bank.budget(gate.tenant, 1_000_000)
        far = provider(url, input_price=PRICE)
        async with gate.embedding(models=[far]) as service:
            for _ in range(2):
                await service.Embed(pb.EmbedRequest(input=["one two three"], model="far"))

        entries = await gate.bank.billed(gate.tenant)
        assert [entry["kind"] for entry in entries] == ["embedding"] * 2
        assert sorted(entry["cost_micro_usd"] for entry in entries) == [0, 500]
        assert [entry["input_tokens"] for entry in entries] == [5, 5]
        assert all(entry["estimated"] for entry in entries), "counted as another model counts"
        assert await gate.bank.spent(gate.tenant) == 500


async def test_a_call_beyond_the_budget_asks_no_provider(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    server = ModelServer()
    async with door(schemas, outbox_urls, valkey, keys) as gate, server.listening() as url:
        await gate.bank.budget(gate.tenant, 400)
        far = provider(url, input_price=PRICE)
        async with gate.embedding(models=[far]) as service:
            call = service.Embed(pb.EmbedRequest(input=["one two three"], model="far"))
            error = await refusal(call)
            free = await service.Embed(pb.EmbedRequest(input=["one two three"]))

    assert (error.code, error.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "BUDGET_EXHAUSTED",
    )
    assert error.domain == "gatekeeper.turnpike"
    assert server.stats["embed_calls"] == 0
    assert len(free.embeddings) == 1, "the model in this process costs nothing"


async def test_the_plans_rate_applies_and_says_when_to_come_again(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    async with door(schemas, outbox_urls, valkey, keys) as gate:
        await gate.bank.limit(gate.tenant, api_per_minute=1, api_burst=1)
        async with gate.embedding() as service:
            await service.Embed(pb.EmbedRequest(input=["a"]))
            error = await refusal(service.Embed(pb.EmbedRequest(input=["b"])))

    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert error.retry_after is not None


async def test_a_caller_who_hangs_up_is_billed_nothing_and_holds_nothing(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    async with door(schemas, outbox_urls, valkey, keys) as gate:
        await gate.bank.limit(gate.tenant, slots=1)
        held = HeldEncoder(FIRST)
        async with gate.embedding(held) as service:

            async def ask() -> pb.EmbedResponse:
                return await service.Embed(pb.EmbedRequest(input=["word word word"]))

            asking = asyncio.create_task(ask())
            assert await asyncio.to_thread(held.began.wait, 15)
            asking.cancel()
            held.released.set()

            async def is_free() -> bool:
                try:
                    await service.Embed(
                        pb.EmbedRequest(input=["one of another width, another text"])
                    )
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                    return False
                return True

            await until(is_free)

        assert len(await gate.bank.billed(gate.tenant)) == 1


async def test_without_gatekeeper_nothing_is_embedded() -> None:
    async with embedding(person=("t", "p")) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.Embed(pb.EmbedRequest(input=["a"]))

    assert refused.value.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
