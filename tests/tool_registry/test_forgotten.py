"""What calls brought goes with their turn, and nothing comes after."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import Keys
from tests.doubles.scripted_mcp import Called, Message, ScriptedServer
from tests.locks import held_up
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import artifact_service_pb2 as pb
from turnpike.api.tool_registry.v1.effect_service_pb2 import GetEffectRequest
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import EffectServiceStub
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import ForgetTurnsRequest
from turnpike.blobs.model import BlobStore
from turnpike.blobs.opening import open_store
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import tenant_transaction
from turnpike.tool_registry import artifacts
from turnpike.tool_registry.settings import Settings
from turnpike.tool_registry.shelving import Shelf

PICTURE = {
    "type": "image",
    "data": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(),
    "mimeType": "image/png",
}
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def kept(urls: MigrationUrls, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a replica that has a place for artifacts."""
    folder: Path = tmp_path_factory.mktemp("artifacts")
    return settings_for(urls, keys, blobs_url=folder.as_uri())


@pytest.fixture(scope="module")
async def keeper(kept: Settings, keys: Keys) -> AsyncGenerator[Registry]:
    """Such a replica."""
    async with serving(kept, keys) as replica:
        yield replica


@pytest.fixture
async def tenant(keeper: Registry, server: ScriptedServer, place: str) -> Tenant:
    """A tenant whose one tool answers with a picture."""

    async def answer(_: Called) -> Message:
        return {"content": [PICTURE]}

    server.answer = answer
    tenant = keeper.new_tenant()
    await tenant.connect("shop", url=place)
    return tenant


@pytest.fixture
async def system(kept: Settings) -> AsyncGenerator[AsyncEngine]:
    """What a replica sweeps by."""
    async with open_engine(str(kept.system_database_url), pool_size=2) as engine:
        yield engine


@pytest.fixture
async def service(kept: Settings) -> AsyncGenerator[AsyncEngine]:
    """What requests work with."""
    async with open_engine(str(kept.database_url), pool_size=2) as engine:
        yield engine


@pytest.fixture
def store(kept: Settings) -> BlobStore:
    """Where the bytes are."""
    return open_store(kept, kept.service())


async def listed(tenant: Tenant, turn: str) -> list[pb.Artifact]:
    request = pb.ListArtifactsRequest(turn=turn)
    response = await tenant.registry.artifacts.ListArtifacts(
        request, metadata=tenant.as_principal()
    )
    return list(response.artifacts)


async def blobs_of(store: BlobStore, tenant: Tenant) -> set[str]:
    return {each.blob.edition async for each in store.listed(UUID(tenant.id))}


async def test_a_turns_artifacts_are_hidden_at_once_and_then_deleted(
    tenant: Tenant, system: AsyncEngine, store: BlobStore
):
    gone, stays = [await tenant.ask("shop/one") for _ in range(2)]
    for request in (gone, stays):
        await tenant.run(request)
    (artifact,) = await listed(tenant, gone.turn)

    await tenant.forget(gone.turn)
    await tenant.forget(gone.turn)

    assert await listed(tenant, gone.turn) == []
    read = tenant.registry.artifacts.GetArtifact(
        pb.GetArtifactRequest(id=artifact.id), metadata=tenant.as_principal()
    )
    assert (await refusal(read)).reason == "NOT_FOUND"
    await Shelf(system, store, tenant_bytes=0).sweep(system, MONTH)
    (left,) = await listed(tenant, stays.turn)
    assert await blobs_of(store, tenant) == {left.id}


async def test_a_turns_calls_are_hidden_at_once_and_deleted_once_long_over(
    tenant: Tenant, server: ScriptedServer, superuser: asyncpg.Connection
):
    asked, may_answer = list[Called](), asyncio.Event()

    async def answer(called: Called) -> Message:
        asked.append(called)
        await may_answer.wait()
        return {"content": []}

    server.answer = answer
    gone, stays = [await tenant.ask("shop/one") for _ in range(2)]
    running = [asyncio.ensure_future(tenant.run(request)) for request in (gone, stays)]
    await until(lambda: len(asked) == 2)
    await tenant.forget(gone.turn)
    may_answer.set()
    await asyncio.gather(*running)

    assert (await refusal(_effect(tenant, gone.turn))).reason == "NOT_FOUND"
    assert (await _effect(tenant, stays.turn)).turn == stays.turn
    assert await _calls(superuser, gone.turn) == 1
    await superuser.execute(
        "UPDATE calls SET finished = finished - interval '1 hour' WHERE turn = ANY ($1)",
        [UUID(gone.turn), UUID(stays.turn)],
    )
    # The replica's own sweep takes it.
    await until(lambda: _is_deleted(superuser, gone.turn))
    assert await _calls(superuser, stays.turn) == 1


async def test_another_tenants_turn_is_not_forgotten(tenant: Tenant, keeper: Registry):
    request = await tenant.ask("shop/one")
    await tenant.run(request)

    await keeper.new_tenant().forget(request.turn)

    assert len(await listed(tenant, request.turn)) == 1
    assert (await refusal(_as_person(tenant, request.turn))).reason == "FORBIDDEN"


async def _as_person(tenant: Tenant, turn: str) -> Any:
    request = ForgetTurnsRequest(turns=[turn])
    return await tenant.registry.calls.ForgetTurns(request, metadata=tenant.as_principal("owner"))


async def test_a_call_that_ends_after_its_turn_was_forgotten_keeps_nothing(
    tenant: Tenant, server: ScriptedServer, store: BlobStore
):
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(_: Called) -> Message:
        asked.set()
        await may_answer.wait()
        return {"content": [PICTURE, {"type": "text", "text": "done"}]}

    server.answer = answer
    request = await tenant.ask("shop/one")
    running = asyncio.ensure_future(tenant.run(request))
    await asked.wait()
    await tenant.forget(request.turn)
    may_answer.set()

    result = json.loads((await running).result)
    assert {"type": "text", "text": "done"} in result
    assert "resource_link" not in {each["type"] for each in result}
    assert await listed(tenant, request.turn) == []
    assert await blobs_of(store, tenant) == set()
    request.ordinal += 1
    assert (await refusal(tenant.run(request))).reason == "FENCE_STALE"


async def test_what_is_being_kept_as_its_turn_is_forgotten_goes_too(
    tenant: Tenant, service: AsyncEngine, system: AsyncEngine, store: BlobStore, superuser: Any
):
    # The row is written, the bytes are not: whoever forgets must wait for the one, and the sweep
    # for the other.
    turn, artifact, owner = uuid4(), uuid4(), UUID(tenant.id)
    await tenant.announce(str(turn), 1)
    values = {
        "id": artifact,
        "tenant": owner,
        "principal": "",
        "turn": turn,
        "effect": f"{turn}:1:0",
        "name": "a.png",
        "media_type": "image/png",
        "size": 3,
        "digest": "0" * 64,
    }
    async with tenant_transaction(service, owner) as connection:
        assert await artifacts.add(connection, values) == 3
        forgetting = asyncio.ensure_future(tenant.forget(str(turn)))
        await held_up(superuser, "forget_turns")
    await forgetting

    shelf = Shelf(system, store, tenant_bytes=0)
    await shelf.sweep(system, MONTH)
    assert await _count(superuser, artifact) == 1
    async with tenant_transaction(service, owner) as connection:
        await artifacts.note_kept(connection, artifact)
    await shelf.sweep(system, MONTH)
    assert await _count(superuser, artifact) == 0


async def _effect(tenant: Tenant, turn: str) -> Any:
    request = GetEffectRequest(effect=f"{turn}:1:0")
    stub = EffectServiceStub(tenant.registry.channel)
    return (await stub.GetEffect(request, metadata=tenant.as_principal())).effect


async def _calls(superuser: asyncpg.Connection, turn: str) -> int:
    return await superuser.fetchval("SELECT count(*) FROM calls WHERE turn = $1", UUID(turn))


async def _is_deleted(superuser: asyncpg.Connection, turn: str) -> bool:
    return await _calls(superuser, turn) == 0


async def _count(superuser: asyncpg.Connection, artifact: UUID) -> int:
    return await superuser.fetchval("SELECT count(*) FROM artifacts WHERE id = $1", artifact)
