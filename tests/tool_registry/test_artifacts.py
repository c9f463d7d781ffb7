"""What calls bring that is no text, or too much of it, is put away and can be had."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.conftest import Keys
from tests.doubles.scripted_mcp import Called, ScriptedServer
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for
from tests.waiting import refusal
from turnpike.api.tool_registry.v1 import artifact_service_pb2 as pb
from turnpike.blobs.opening import open_store
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls
from turnpike.tool_registry import artifacts
from turnpike.tool_registry.results import MAX_RESULT_BYTES
from turnpike.tool_registry.settings import Settings
from turnpike.tool_registry.shelving import URI, Shelf

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
SOUND = b"RIFF" + bytes(100)
ENCODED = base64.b64encode(PNG).decode()


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


async def blocks_of(
    tenant: Tenant, server: ScriptedServer, place: str, *blocks: Any
) -> tuple[str, list[Any]]:
    """Returns the turn of a call that its server answers with blocks, and its result."""

    async def answer(_: Called) -> Any:
        return {"content": list(blocks)}

    server.answer = answer
    await tenant.connect("shop", url=place)
    request = await tenant.ask("shop/one")
    call = await tenant.run(request)
    return request.turn, json.loads(call.result)


async def listed(tenant: Tenant, turn: str, **who: str) -> list[pb.Artifact]:
    response = await tenant.registry.artifacts.ListArtifacts(
        pb.ListArtifactsRequest(turn=turn), metadata=tenant.as_principal(**who)
    )
    return list(response.artifacts)


async def read(tenant: Tenant, artifact: str, start: int = 0, end: int = 0, **who: str) -> bytes:
    request = pb.ReadArtifactRequest(id=artifact, start=start, end=end)
    reading = tenant.registry.artifacts.ReadArtifact(request, metadata=tenant.as_principal(**who))
    return b"".join([response.chunk async for response in reading])


async def test_media_and_files_are_put_away_and_the_result_refers_to_them(
    keeper: Registry, server: ScriptedServer, place: str
):
    tenant = keeper.new_tenant()
    blob = base64.b64encode(b"%PDF-1.7").decode()

    turn, result = await blocks_of(
        tenant,
        server,
        place,
        {"type": "text", "text": "here"},
        {"type": "image", "data": ENCODED, "mimeType": "image/png"},
        {"type": "audio", "data": base64.b64encode(SOUND).decode(), "mimeType": "audio/wav"},
        {
            "type": "resource",
            "resource": {"uri": "file:///a/b/re port.pdf", "blob": blob, "mimeType": "APP/PDF"},
        },
        {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "short"}},
    )

    by_type = {each.media_type: each for each in await listed(tenant, turn)}
    assert result[0] == {"type": "text", "text": "here"}
    assert result[4]["resource"]["text"] == "short"
    assert ENCODED not in json.dumps(result)
    for block, media_type, content in (
        (result[1], "image/png", PNG),
        (result[2], "audio/wav", SOUND),
        (result[3], "app/pdf", b"%PDF-1.7"),
    ):
        artifact = by_type[media_type]
        assert block == {
            "type": "resource_link",
            "uri": f"{URI}{artifact.id}",
            "name": artifact.name,
            "mimeType": media_type,
            "size": len(content),
        }
        assert artifact.sha256 == hashlib.sha256(content).hexdigest()
        assert await read(tenant, artifact.id) == content
    assert by_type["app/pdf"].name == "re port.pdf"
    assert await read(tenant, by_type["image/png"].id, 1, 4) == b"PNG"


async def test_a_text_that_is_too_long_is_kept_whole_and_previewed(
    keeper: Registry, server: ScriptedServer, place: str
):
    tenant, text = keeper.new_tenant(), "zwölf " * 300_000

    turn, result = await blocks_of(
        tenant, server, place, {"type": "text", "text": "head"}, {"type": "text", "text": text}
    )

    (artifact,) = await listed(tenant, turn)
    assert [block["type"] for block in result] == ["text", "text", "resource_link"]
    assert result[1]["text"].startswith(text[:4096])
    assert str(len(text.encode())) in result[1]["text"]
    assert len(json.dumps(result)) < MAX_RESULT_BYTES
    assert (await read(tenant, artifact.id)).decode() == text


@pytest.mark.parametrize("data", ["not base64!", ""])
async def test_what_is_no_media_stays_as_it_is(
    keeper: Registry, server: ScriptedServer, place: str, data: str
):
    tenant = keeper.new_tenant()
    block = {"type": "image", "data": data, "mimeType": "image/png"}

    turn, result = await blocks_of(tenant, server, place, block)

    assert result == [block]
    assert await listed(tenant, turn) == []


async def test_who_is_not_its_caller_does_not_see_an_artifact(
    keeper: Registry, server: ScriptedServer, place: str
):
    tenant, stranger = keeper.new_tenant(), keeper.new_tenant()
    block = {"type": "image", "data": ENCODED, "mimeType": "image/png"}
    turn, _ = await blocks_of(tenant, server, place, block)
    (artifact,) = await listed(tenant, turn)

    for call in (
        read(stranger, artifact.id),
        read(tenant, artifact.id, role="member"),
        read(tenant, "../x"),
        stranger.registry.artifacts.GetArtifact(
            pb.GetArtifactRequest(id=artifact.id), metadata=stranger.as_principal()
        ),
    ):
        assert (await refusal(call)).reason == "NOT_FOUND"
    assert await listed(stranger, turn) == await listed(tenant, turn, role="member") == []
    assert (await refusal(read(tenant, artifact.id, 9999))).fields[0][0] == "start"


async def test_without_a_place_a_result_is_cut_and_the_call_stands(
    tenant: Tenant, server: ScriptedServer, place: str
):
    text = "a" * (MAX_RESULT_BYTES + 1)

    turn, result = await blocks_of(tenant, server, place, {"type": "text", "text": text})

    assert "was cut" in result[-1]["text"]
    assert await listed(tenant, turn) == []


async def test_a_place_that_is_emptied_meanwhile_leaves_the_result_as_it_was(
    keeper: Registry,
    kept: Settings,
    server: ScriptedServer,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
):
    add, folder = artifacts.add, Path(urlsplit(str(kept.blobs_url)).path)

    async def emptied(*values: Any) -> Any:
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()
        return await add(*values)

    monkeypatch.setattr(artifacts, "add", emptied)
    block = {"type": "image", "data": ENCODED, "mimeType": "image/png"}

    _, result = await blocks_of(keeper.new_tenant(), server, place, block)

    assert result == [block]


async def test_artifacts_are_deleted_when_they_are_too_old(
    keeper: Registry, kept: Settings, server: ScriptedServer, place: str
):
    tenant = keeper.new_tenant()
    block = {"type": "image", "data": ENCODED, "mimeType": "image/png"}
    turn, _ = await blocks_of(tenant, server, place, block)
    store = open_store(kept, kept.service())
    async with open_engine(str(kept.system_database_url)) as system:
        shelf = Shelf(system, store, tenant_bytes=0)

        await shelf.sweep(system, timedelta(hours=1))
        assert len(await listed(tenant, turn)) == 1
        await shelf.sweep(system, timedelta(0))

    assert await listed(tenant, turn) == []
    assert [each async for each in store.listed(UUID(tenant.id))] == []


async def test_a_tenants_artifacts_are_bounded_exactly_however_many_come_at_once(
    kept: Settings, keys: Keys, server: ScriptedServer, place: str
):
    small = kept.model_copy(
        update={"replica_name": "small", "artifact_tenant_bytes": 3 * len(PNG) + 1}
    )
    block = {"type": "image", "data": ENCODED, "mimeType": "image/png"}

    async def answer(_: Called) -> Any:
        return {"content": [block]}

    server.answer = answer
    async with serving(small, keys) as replica:
        tenant, other = replica.new_tenant(), replica.new_tenant()
        for each in (tenant, other):
            await each.connect("shop", url=place)
        asked = [await tenant.ask("shop/one") for _ in range(8)]
        results = [
            json.loads(each.result) for each in await asyncio.gather(*map(tenant.run, asked))
        ]
        kept_apart = [result for result in results if result[-1]["type"] == "resource_link"]
        cut = [result for result in results if result[-1]["type"] == "text"]
        another = await other.run(await other.ask("shop/one"))

        assert (len(kept_apart), len(cut)) == (3, 5)
        assert cut[0][0] == block
        assert "ARTIFACTS_FULL" in cut[0][-1]["text"]
        assert str(3 * len(PNG) + 1) in cut[0][-1]["text"]
        assert json.loads(another.result)[0]["type"] == "resource_link"

        await tenant.forget(*(request.turn for request in asked))
        store = open_store(kept, kept.service())
        async with open_engine(str(kept.system_database_url)) as system:
            await Shelf(system, store, tenant_bytes=0).sweep(system, timedelta(days=1))
        again = await tenant.run(await tenant.ask("shop/one"))

    assert json.loads(again.result)[0]["type"] == "resource_link"
