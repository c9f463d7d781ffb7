"""What calls used reaches gatekeeper's ledger once, whoever dies or is away in between."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Keys, Schemas
from tests.doubles.model_server import ModelServer
from tests.embedding.bert_reference import MODEL
from tests.embedding.knowledge.serving import (
    Metadata,
    Tenant,
    held,
    killed,
    library,
    settings_for,
)
from tests.embedding.test_metering import PRICE, door
from tests.embedding.test_models import provider
from tests.waiting import until
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls
from turnpike.embedding.metering import Load, Payer
from turnpike.embedding.owing import Outbox, owe
from turnpike.rpc.identity import Signer, bearer

_HELD_UP = (
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database() AND query LIKE 'INSERT INTO usage_outbox%'"
)


async def embedded(service: EmbeddingServiceStub, words: str = "one two three") -> pb.EmbedResponse:
    return await service.Embed(pb.EmbedRequest(input=[words], model="far"))


async def asked(server: ModelServer) -> None:
    """Waits until the provider was asked."""

    async def was_asked() -> bool:
        return bool(server.log)

    await until(was_asked)


async def test_what_is_used_while_gatekeeper_is_away_is_settled_once_when_it_is_back(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    server = ModelServer()
    async with door(schemas, outbox_urls, valkey, keys) as gate, server.listening() as url:
        await gate.bank.budget(gate.tenant, 1_000_000)
        server.embeddings_released.clear()
        async with gate.embedding(models=[provider(url, input_price=PRICE)]) as service:
            asking = asyncio.create_task(embedded(service))
            await asked(server)
            await gate.serving.leave()
            server.embeddings_released.set()
            assert len((await asking).embeddings) == 1
        (owed,) = await gate.owed()
        await gate.serving.come()

        async with gate.meter.settling():
            await until(gate.is_settled)
        # A settlement whose row could not be deleted is found, and made, again: by two at once.
        await Outbox(gate.system).owe(owed, seconds=-1)
        async with gate.meter.settling(), gate.meter.settling():
            await until(gate.is_settled)

        (entry,) = await gate.bank.billed(gate.tenant)
        assert (entry["input_tokens"], entry["cost_micro_usd"]) == (5, 500)
        assert await gate.bank.spent(gate.tenant) == 500


async def test_a_call_is_owed_before_it_is_answered(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    server = ModelServer()
    async with door(schemas, outbox_urls, valkey, keys) as gate, server.listening() as url:
        server.embeddings_released.clear()
        # It counts exactly: what is owed is an estimate for one reason alone.
        exact = str(MODEL / "tokenizer.json")
        models = [provider(url, input_price=PRICE, tokenizer=exact)]
        async with gate.embedding(models=models) as service:
            asking = asyncio.create_task(embedded(service))

            async def is_owed() -> bool:
                return [owed.estimated for owed in await gate.owed()] == [True]

            await until(is_owed)
            server.embeddings_released.set()
            await asking
            await until(gate.is_settled)

        (entry,) = await gate.bank.billed(gate.tenant)
        assert not entry["estimated"]


async def test_a_call_that_cannot_be_owed_yet_is_not_answered_yet(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    server = ModelServer()
    async with door(schemas, outbox_urls, valkey, keys) as gate, server.listening() as url:
        watching = await asyncpg.connect(outbox_urls.migration)

        async def is_held_up() -> bool:
            return bool(await watching.fetch(_HELD_UP))

        async with gate.embedding(models=[provider(url, input_price=PRICE)]) as service:
            async with held(outbox_urls, "LOCK TABLE embedding.usage_outbox IN EXCLUSIVE MODE"):
                asking = asyncio.create_task(embedded(service))
                await asked(server)
                await until(is_held_up)
                answered, _ = await asyncio.wait({asking}, timeout=0.3)
                assert not (answered and await is_held_up())
            await asking
        await watching.close()


async def test_a_caller_who_hangs_up_owes_nothing(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    server = ModelServer()
    async with door(schemas, outbox_urls, valkey, keys) as gate, server.listening() as url:
        server.embeddings_released.clear()
        async with gate.embedding(models=[provider(url, input_price=PRICE)]) as service:
            asking = asyncio.create_task(embedded(service))
            await asked(server)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            server.embeddings_released.set()
            await until(gate.is_settled)

        assert await gate.bank.billed(gate.tenant) == []


async def test_vectors_that_are_kept_owe_what_their_transaction_says(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> None:
    async with door(schemas, outbox_urls, valkey, keys) as gate:
        payer = Payer(tenant=gate.tenant.id, principal=gate.tenant.principal, key="")
        load = Load(model="far", input_price=PRICE, tokens=5, cached_tokens=0, estimated=False)
        await gate.bank.limit(gate.tenant, slots=1)

        with pytest.raises(ZeroDivisionError):
            async with gate.meter.owing(payer, load) as owed, gate.transaction() as connection:
                assert owed is not None
                await owe(connection, owed)
                raise ZeroDivisionError
        await gate.meter.close()
        assert await gate.owed() == []

        # The slot was given back.
        async with gate.meter.owing(payer, load) as owed, gate.transaction() as connection:
            assert owed is not None
            await owe(connection, owed)
        await gate.meter.close()
        await until(gate.is_settled)
        assert len(await gate.bank.billed(gate.tenant)) == 1


@dataclass(frozen=True)
class Writer(Tenant):
    """A tenant that gatekeeper knows."""

    principal: str = ""

    def as_principal(self, role: str = "member") -> Metadata:
        signer = Signer("gatekeeper", self.library.keys.seeds["gatekeeper"])
        token, _ = signer.principal_token(tenant=self.id, principal=self.principal, role=role)
        return bearer(token)


async def test_what_a_killed_replica_kept_is_settled_once_by_another(
    schemas: Schemas, outbox_urls: MigrationUrls, valkey: LocalRedis, keys: Keys, tmp_path: Path
) -> None:
    server = ModelServer()
    async with door(schemas, outbox_urls, valkey, keys) as gate, server.listening() as url:
        models = [provider(url, input_price=PRICE)]
        settings = settings_for(outbox_urls, keys, tmp_path, index_jobs=0, models=models)
        async with library(settings, keys, outbox_urls) as idle:
            writer = Writer(idle, gate.tenant.id, principal=gate.tenant.principal)
            await writer.begin(model="far")
            server.embeddings_released.clear()
            await writer.put("/a.md", "one two three")
            others = {"MODELS": json.dumps(models), "GATEKEEPER_TARGET": gate.target}
            async with killed(outbox_urls, keys, tmp_path, **others):
                await asked(server)
                await gate.serving.leave()
                server.embeddings_released.set()

                async def is_kept() -> bool:
                    indexing = (await writer.get("/a.md")).indexing
                    return indexing.state == document_pb2.INDEXING_STATE_READY

                await until(is_kept)
            assert len(await gate.owed()) == 1
        await gate.serving.come()
        await gate.fall_due()
        async with gate.meter.settling():
            await until(gate.is_settled)

        (entry,) = await gate.bank.billed(gate.tenant)
        assert (entry["input_tokens"], entry["cost_micro_usd"]) == (5, 500)
        assert server.stats["embed_calls"] == 1
