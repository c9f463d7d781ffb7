"""What deleted collections, and writes that were broken off, leave behind."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import Keys
from tests.embedding.knowledge.serving import (
    Library,
    Tenant,
    holding,
    library,
    settings_for,
    waits,
)
from tests.waiting import refusal
from turnpike.api.embedding.v1 import collection_service_pb2 as collections_pb
from turnpike.api.embedding.v1 import document_service_pb2 as documents_pb
from turnpike.blobs.directory import DirectoryStore
from turnpike.database.migration import MigrationUrls
from turnpike.embedding.knowledge.leftovers import Leftovers

PDF = b"%PDF-1.7 of which nobody can read anything"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where originals are."""
    return tmp_path_factory.mktemp("originals")


@pytest.fixture(scope="module")
async def replica(
    knowledge_urls: MigrationUrls, keys: Keys, folder: Path
) -> AsyncGenerator[Library]:
    """One that indexes nothing."""
    settings = settings_for(knowledge_urls, keys, folder, index_jobs=0)
    async with library(settings, keys, knowledge_urls) as served:
        yield served


@pytest.fixture
def leftovers(replica: Library, folder: Path) -> Leftovers:
    """The sweep, when a test wants it."""
    stores = replica.stores
    return Leftovers(stores.system, stores.engine, DirectoryStore(folder, "embedding"))


@pytest.fixture
async def tenant(replica: Library) -> Tenant:
    """A new tenant with a collection."""
    new = replica.tenant()
    await new.begin()
    return new


async def delete(tenant: Tenant) -> None:
    await tenant.library.collections.DeleteCollection(
        collections_pb.DeleteCollectionRequest(name=tenant.collection),
        metadata=tenant.as_principal("admin"),
    )


async def held(tenant: Tenant) -> tuple[int, int]:
    """Returns how many documents and bytes count against the tenant's limits."""
    statement = text(f"SELECT documents, bytes FROM holdings WHERE tenant = '{tenant.id}'")
    async with tenant.library.stores.system.connect() as connection:
        return tuple((await connection.execute(statement)).one())


def originals(folder: Path, tenant: Tenant) -> list[Path]:
    """Returns the files that the tenant's originals are in."""
    return [path for path in folder.rglob("*") if path.is_file() and tenant.id in str(path)]


async def let_grace_pass(tenant: Tenant) -> None:
    async with tenant.library.superuser() as connection:
        await connection.execute(text("UPDATE embedding.leftovers SET due_at = now()"))


async def test_a_deleted_collection_leaves_nothing_and_counts_for_nothing(
    tenant: Tenant, leftovers: Leftovers, folder: Path
):
    other = Tenant(tenant.library, tenant.id, "others")
    await other.begin()
    for shelf, path, content in (
        (tenant, "/a.txt", "only here"),
        (tenant, "/both.txt", "in both"),
        (tenant, "/a.pdf", PDF),
        (other, "/both.txt", "in both"),
        (tenant, "/gone.txt", "deleted before"),
    ):
        await shelf.put(path, content)
    gone = documents_pb.DeleteDocumentRequest(collection=tenant.collection, path="/gone.txt")
    await tenant.call("DeleteDocument", gone)
    assert len(originals(folder, tenant)) == 1

    await delete(tenant)
    assert (await held(tenant))[0] == 1
    await leftovers.sweep()

    assert await held(tenant) == (1, len("in both"))
    assert (await other.read("/both.txt")).text == "in both"
    assert len(originals(folder, tenant)) == 1
    await let_grace_pass(tenant)
    await leftovers.sweep()
    assert originals(folder, tenant) == []


async def test_what_a_write_that_failed_kept_is_deleted(
    tenant: Tenant, leftovers: Leftovers, folder: Path
):
    nowhere = Tenant(tenant.library, tenant.id, "nowhere")
    await tenant.put("/a.pdf", PDF + b"!")

    assert (await refusal(nowhere.put("/a.pdf", PDF))).reason == "NOT_FOUND"
    assert len(originals(folder, tenant)) == 2
    await let_grace_pass(tenant)
    await leftovers.sweep()

    assert len(originals(folder, tenant)) == 1


async def test_a_content_that_is_written_again_while_it_is_swept_stays(
    tenant: Tenant, leftovers: Leftovers
):
    await tenant.put("/a.txt", "again")
    await delete(tenant)
    await tenant.begin()

    async with holding(tenant, "LOCK TABLE revisions IN SHARE ROW EXCLUSIVE MODE"):
        writing = asyncio.create_task(tenant.put("/b.txt", "again"))
        await waits(tenant, "INSERT INTO revisions")
        sweep = asyncio.create_task(leftovers.sweep())
        await waits(tenant, "FROM contents")
    await writing
    await sweep

    assert (await tenant.read("/b.txt")).text == "again"
    assert await held(tenant) == (1, len("again"))


async def test_a_write_that_found_an_original_before_it_was_swept_has_it(
    tenant: Tenant, leftovers: Leftovers, folder: Path
):
    other = Tenant(tenant.library, tenant.id, "others")
    await other.begin()
    await tenant.put("/a.pdf", PDF)
    await delete(tenant)

    locked = f"SELECT FROM collections WHERE tenant = '{tenant.id}' FOR UPDATE"
    async with holding(tenant, locked):
        writing = asyncio.create_task(other.put("/b.pdf", PDF))
        await waits(tenant, "FROM collections")
        await leftovers.sweep()
        assert (await held(tenant))[1] == 0
    await writing
    await let_grace_pass(tenant)
    await leftovers.sweep()

    assert len(originals(folder, tenant)) == 1
    assert await held(tenant) == (1, len(PDF))
