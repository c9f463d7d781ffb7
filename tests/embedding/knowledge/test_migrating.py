"""Collections that change their model: both vectors, one moment, and what is left thereafter."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.conftest import Keys, Schemas
from tests.embedding.bert_reference import MODEL
from tests.embedding.knowledge.serving import (
    Library,
    Tenant,
    holding,
    library,
    settings_for,
    waits,
)
from tests.embedding.knowledge.test_collections import CREATED, UNCHANGED
from tests.embedding.knowledge.test_collections import put as apply
from tests.embedding.knowledge.test_documents import paragraphs, refused
from tests.waiting import until
from turnpike.api.embedding.v1 import collection_service_pb2 as collections_pb
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.claims import LEASE_SECONDS
from turnpike.embedding.embedder import Asked
from turnpike.embedding.knowledge import index_rows, job_rows
from turnpike.embedding.knowledge.model import Recipe
from turnpike.embedding.model import InputType
from turnpike.embedding.searching.model import Filter, Found, Question
from turnpike.embedding.searching.search import Search

OLD, NEW = "all-minilm-l6-v2", "first-token"


def first_token(**others: Any) -> dict[str, Any]:
    """The built-in model's weights, with other vectors."""
    return {"kind": "local", "name": NEW, "path": str(MODEL), "pooling": "cls", **others}


@pytest.fixture(scope="session")
async def moving_urls(schemas: Schemas) -> MigrationUrls:
    """A schema in which nobody indexes who does not know both models."""
    return await schemas.apart("embedding")


@pytest.fixture(scope="session")
async def movers(
    moving_urls: MigrationUrls, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Library]:
    """A replica with two models."""
    blobs = tmp_path_factory.mktemp("blobs")
    settings = settings_for(moving_urls, keys, blobs, models=[first_token()])
    async with library(settings, keys, moving_urls) as served:
        yield served


@pytest.fixture
async def mover(movers: Library) -> Tenant:
    new = movers.tenant()
    await new.begin(language="english")
    return new


async def migration(tenant: Tenant, verb: str, **fields: Any) -> collections_pb.Migration:
    request = getattr(collections_pb, f"{verb}MigrationRequest")(collection="notes", **fields)
    method = getattr(tenant.library.collections, f"{verb}Migration")
    return (await method(request, metadata=tenant.as_principal("admin"))).migration


async def begin(tenant: Tenant) -> None:
    started = await migration(tenant, "Create", model=NEW)
    assert (started.source, started.target) == (OLD, NEW)


async def compared(tenant: Tenant) -> collections_pb.Migration:
    async def is_compared() -> bool:
        return (await migration(tenant, "Get")).sample > 0

    await until(is_compared, 60)
    return await migration(tenant, "Get")


async def over(tenant: Tenant) -> None:
    async def is_over() -> bool:
        return (await migration(tenant, "Get")).HasField("end_time")

    await until(is_over, 60)


async def kept(tenant: Tenant) -> dict[str, int]:
    """Returns how many vectors there are of each model."""
    statement = text("SELECT model, count(*) FROM chunks WHERE tenant = :tenant GROUP BY model")
    async with tenant.library.stores.system.connect() as connection:
        rows = await connection.execute(statement, {"tenant": UUID(tenant.id)})
        return {row[0]: row[1] for row in rows}


async def search(tenant: Tenant, words: str, **filters: Any) -> Found:
    searching = Search(tenant.library.stores.engine, tenant.library.counted.embedder, exact_most=99)
    question = Question(tenant=UUID(tenant.id), wordings=(words,), filter=Filter(**filters))
    return await searching.search(question, None)


async def test_a_collection_is_applied_with_a_model_that_is_not_the_default(movers: Library):
    tenant = movers.tenant()

    would = await apply(tenant, fields={"model": NEW}, validate_only=True)
    made = await apply(tenant, fields={"model": NEW})
    same = [await apply(tenant, fields=each) for each in ({"model": NEW}, {"model": ""})]
    others = [await refused(apply(tenant, fields={"model": each})) for each in (OLD, "default")]

    assert [would.collection.model, made.collection.model] == [NEW, NEW]
    assert [each.change for each in (would, made)] == [CREATED, CREATED]
    assert [each.change for each in same] == [UNCHANGED, UNCHANGED]
    message = f"is '{NEW}'; a migration changes it"
    assert [error.fields for error in others] == [[("collection.model", message)]] * 2
    await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")
    assert await kept(tenant) == {NEW: 1}


async def test_a_collection_changes_its_model_at_once_and_the_old_vectors_are_dropped(
    mover: Tenant,
):
    for number in range(3):
        await mover.put(f"/{number}.md", f"# Tolls\n\nThe toll of bridge {number} is due at dawn.")
        await mover.indexed(f"/{number}.md")
    await mover.put("/0.md", "# Tolls\n\nNobody pays on bridge 0 any more.")
    await mover.indexed("/0.md")
    before = await kept(mover)

    await begin(mover)
    shown = await compared(mover)

    assert (shown.done, shown.total, shown.failed) == (4, 4, 0), "what they were is done too"
    assert (shown.sample, shown.recall, shown.agreement) == (3, 1, 1)
    assert (shown.source_hits, shown.target_hits) == (1, 1)
    assert await kept(mover) == {OLD: before[OLD], NEW: before[OLD]}
    assert {each.model for each in (await search(mover, "toll of bridge 1")).results} == {OLD}

    await migration(mover, "Activate")

    found = await search(mover, "toll of bridge 1")
    assert [each.model for each in found.results] == [NEW] * 3
    assert all(each.dense_rank for each in found.results)
    assert found.results[0].path == "/1.md"
    assert (await mover.get("/1.md")).indexing.state == document_pb2.INDEXING_STATE_READY
    await over(mover)
    assert await kept(mover) == {NEW: before[OLD]}
    # Asked again by who did not hear the answer.
    assert (await migration(mover, "Activate")).state == collections_pb.MIGRATION_STATE_ACTIVATED


async def test_what_is_written_meanwhile_gets_vectors_of_both_models(mover: Tenant):
    await mover.put("/a.md", "one")
    await mover.indexed("/a.md")
    await begin(mover)
    await compared(mover)

    await mover.put("/b.md", "two birds")
    await mover.put("/a.md", "three fish")

    async def is_done() -> bool:
        shown = await migration(mover, "Get")
        return shown.done == shown.total == 3

    await until(is_done, 60)
    assert [each.path for each in (await search(mover, "three fish")).results] == ["/a.md", "/b.md"]
    await migration(mover, "Activate")
    results = (await search(mover, "three fish")).results
    assert [(each.path, each.model) for each in results] == [("/a.md", NEW), ("/b.md", NEW)]


async def test_e10_reverts_embed_nothing_while_a_collection_migrates_and_after(mover: Tenant):
    for words in ("one fish", "two fish", "red fish"):
        await mover.put("/a.md", words)
        await mover.indexed("/a.md")
    await begin(mover)
    await compared(mover)
    mover.embedded.clear()

    async def revert(revision: int) -> str:
        request = pb.RevertDocumentRequest(
            collection="notes", path="/a.md", revision=revision, force=True
        )
        await mover.call("RevertDocument", request)
        (found,) = (await search(mover, "fish")).results
        assert (await mover.get("/a.md")).indexing.state == document_pb2.INDEXING_STATE_READY
        return f"{found.model}: {found.text}"

    assert await revert(1) == f"{OLD}: one fish"
    await migration(mover, "Activate")
    await over(mover)
    assert await revert(2) == f"{NEW}: two fish"
    assert await revert(3) == f"{NEW}: red fish"
    assert mover.embedded == []


async def test_a_migration_that_is_given_up_leaves_nothing_and_another_may_begin(mover: Tenant):
    await mover.put("/a.md", "one")
    await mover.indexed("/a.md")
    before = await mover.vectors()
    await begin(mover)
    await compared(mover)

    given_up = await migration(mover, "Delete")

    assert given_up.state == collections_pb.MIGRATION_STATE_ABORTED
    await over(mover)
    assert await kept(mover) == {OLD: 1}
    assert await mover.vectors() == before
    assert (await refused(migration(mover, "Activate"))).reason == "NOT_FOUND"
    await mover.put("/b.md", "two")
    await mover.indexed("/b.md")
    assert await kept(mover) == {OLD: 2}, "nothing is written twice any more"
    await begin(mover)
    assert (await compared(mover)).done == 2


async def test_nothing_that_was_ready_is_lost_by_activating_too_early(mover: Tenant):
    await mover.put("/a.md", "one")
    await mover.indexed("/a.md")
    await begin(mover)
    await compared(mover)
    async with mover.library.superuser() as connection:
        values = {"t": UUID(mover.id), "m": NEW}
        of_new = "(SELECT id FROM embedding.indexings WHERE tenant = :t AND model = :m)"
        for statement in (
            f"DELETE FROM embedding.passages WHERE indexing IN {of_new}",
            "UPDATE embedding.indexings SET state = 'FAILED' WHERE tenant = :t AND model = :m",
        ):
            await connection.execute(text(statement), values)

    early = await refused(migration(mover, "Activate"))

    assert (early.reason, early.metadata["remaining"]) == ("MIGRATION_INCOMPLETE", "1")
    assert (await migration(mover, "Get")).failed == 1
    other = await refused(migration(mover, "Create", model=OLD))
    assert (other.reason, other.metadata["target"]) == ("MIGRATION_UNDER_WAY", NEW)
    await begin(mover)  # tries again what failed

    async def is_active() -> bool:
        shown = await migration(mover, "Get")
        return shown.done == shown.total

    await until(is_active, 60)
    await migration(mover, "Activate")


async def test_a_migration_to_what_a_collection_has_already_names_the_field(mover: Tenant):
    same = await refused(migration(mover, "Create", model=OLD))
    unknown = await refused(migration(mover, "Create", model="nobody"))

    assert (same.reason, [each for each, _ in same.fields]) == ("INVALID_ARGUMENT", ["model"])
    assert (unknown.reason, unknown.metadata["kind"]) == ("NOT_FOUND", "model")
    assert (await refused(migration(mover, "Get"))).reason == "NOT_FOUND"


async def test_a_search_whose_question_is_of_the_old_model_is_asked_anew(mover: Tenant):
    for number in range(3):
        await mover.put(f"/{number}.md", f"The toll of bridge {number}.")
        await mover.indexed(f"/{number}.md")
    await begin(mover)
    await compared(mover)
    embedder, asked = mover.library.counted.embedder, list[str]()

    class Late:
        """An embedder during whose first answer the collection gets its new model."""

        async def embed(self, request: Asked) -> Any:
            asked.append(request.model)
            made = await embedder.embed(request)
            if len(asked) == 1:
                await migration(mover, "Activate")
            return made

        def __getattr__(self, name: str) -> Any:
            return getattr(embedder, name)

    late: Any = Late()
    searching = Search(mover.library.stores.engine, late, exact_most=99)
    found = await searching.search(Question(tenant=UUID(mover.id), wordings=("toll",)), None)

    assert asked == [OLD, NEW]
    assert [(each.model, each.dense_rank > 0) for each in found.results] == [(NEW, True)] * 3


async def test_a_document_made_searchable_while_its_model_is_activated_is_found(mover: Tenant):
    """The indexer and the decision take turns: whichever is first."""
    await mover.put("/a.md", "one")
    await mover.indexed("/a.md")
    await begin(mover)
    await compared(mover)
    job = await made(mover, NEW)
    async with tenant_transaction(mover.library.stores.engine, mover.id) as publishing:
        assert await job_rows.lock_document(publishing, job) == NEW
        deciding = asyncio.create_task(migration(mover, "Activate"))
        await waits(mover, "SELECT id FROM collections")
        assert not deciding.done()
        # It is not kept from the document in turn: that would be the end of both.
        place = index_rows.Place(
            tenant=job.tenant, document=job.document, model=NEW, next_model=NEW
        )
        await index_rows.show(publishing, place, job.id)
    await deciding
    assert [each.model for each in (await search(mover, "one")).results] == [NEW]


async def test_what_a_migration_asks_for_is_moved_without_anybody_waiting_in_turn(mover: Tenant):
    for path in ("/f/a.md", "/f/b.md"):
        await mover.put(path, path)
        await mover.indexed(path)
    first_put = f"""
        INSERT INTO indexings (tenant, id, collection, document, content, recipe, model, due_at)
        SELECT tenant, gen_random_uuid(), collection, document, content, recipe, '{NEW}', 'infinity'
        FROM indexings WHERE tenant = '{mover.id}' ORDER BY id DESC LIMIT 1"""
    async with holding(mover, first_put) as elsewhere:
        await begin(mover)
        await waits(mover, "WITH batch AS")
        request = pb.MoveDocumentRequest(collection="notes", path="/f", new_path="/g")
        moving = asyncio.create_task(mover.call("MoveDocument", request))
        await waits(mover, "FOR NO KEY UPDATE")
        await elsewhere.rollback()

    await moving

    await compared(mover)
    assert await kept(mover) == {OLD: 2, NEW: 2}
    assert await mover.paths() == ["/g/a.md", "/g/b.md"]


async def test_a_comparison_whose_process_was_killed_is_taken_over_when_its_claim_runs_out(
    mover: Tenant,
):
    """Nobody waits longer for whoever compares than for whoever does anything else."""
    await mover.put("/a.md", "one")
    await mover.indexed("/a.md")
    embedder, due = mover.library.counted, list[float]()

    async def embed(asked: Asked) -> Any:
        if asked.tenant == mover.id and asked.input_type is InputType.QUERY and not due:
            due.append(await due_in(mover))
        return await type(embedder).embed(embedder, asked)

    embedder.embed = embed
    try:
        await begin(mover)
        await compared(mover)
    finally:
        del embedder.embed
    assert 0 < due[0] <= LEASE_SECONDS


async def due_in(tenant: Tenant) -> float:
    """Returns after how many seconds somebody else may claim the migration."""
    statement = text(
        "SELECT extract(epoch FROM due_at - statement_timestamp()) FROM migrations"
        " WHERE tenant = :tenant"
    )
    async with tenant.library.stores.system.connect() as connection:
        return float(await connection.scalar(statement, {"tenant": UUID(tenant.id)}))


async def made(tenant: Tenant, model: str) -> job_rows.Job:
    """Returns a job that was done."""
    statement = text("SELECT * FROM indexings WHERE tenant = :tenant AND model = :model")
    async with tenant.library.stores.system.connect() as connection:
        values = {"tenant": UUID(tenant.id), "model": model}
        row = (await connection.execute(statement, values)).one()
    return job_rows.Job(
        tenant=row.tenant,
        id=row.id,
        collection=row.collection,
        document=row.document,
        content=row.content,
        recipe=Recipe.parse(row.recipe),
        model=row.model,
        fence=row.fence,
        attempts=row.attempts,
    )


async def test_a_model_that_was_changed_under_its_name_is_noticed_and_never_meets_the_old_one(
    schemas: Schemas, keys: Keys, tmp_path: Path
):
    urls = await schemas.apart("embedding")
    settings = settings_for(urls, keys, tmp_path, models=[first_token()])
    async with library(settings, keys, urls) as first:
        tenant = first.tenant()
        await tenant.begin(model=NEW)
        await tenant.put("/a.md", "one fish")
        await tenant.put("/a.md", "two fish")
        await tenant.indexed("/a.md")
        await tenant.put("/b.md", "\n\n".join(paragraphs(3)))
        await tenant.indexed("/b.md")

    changed = settings_for(urls, keys, tmp_path, models=[first_token(pooling="mean")])
    idle = changed.model_copy(update={"index_jobs": 0})
    async with library(idle, keys, urls) as second:
        found = await search(tenant.on(second), "two fish")
        again = await apply(tenant.on(second), fields={"model": NEW})
    assert again.change == UNCHANGED, "its model is replaced by itself"
    assert [each.text for each in found.results] == ["two fish"]
    assert not any(each.dense_rank for each in found.results), "by words alone as yet"

    async with library(idle, keys, urls) as second:
        async with second.superuser() as connection:
            await connection.execute(
                text(
                    "UPDATE embedding.collections SET model = k.key FROM embedding.model_keys k"
                    " WHERE tenant = :tenant AND k.key LIKE '%@%'"
                ),
                {"tenant": UUID(tenant.id)},
            )
        found = await search(tenant.on(second), "two fish")
        assert [each.text for each in found.results] == ["two fish"], "while it is replaced"
        async with second.superuser() as connection:
            await connection.execute(
                text("UPDATE embedding.collections SET model = :model WHERE tenant = :tenant"),
                {"tenant": UUID(tenant.id), "model": NEW},
            )

    async with library(changed, keys, urls) as second:
        tenant = tenant.on(second)

        async def is_replaced() -> bool:
            return all("@" in key for key in await kept(tenant))

        await until(is_replaced, 60)
        found = await search(tenant, "two fish")
        assert found.results[0].text == "two fish"
        assert all(each.dense_rank for each in found.results)
        shown = await tenant.library.collections.GetCollection(
            collections_pb.GetCollectionRequest(name="notes"), metadata=tenant.as_principal()
        )
        assert shown.collection.model == NEW
        tenant.embedded.clear()
        request = pb.RevertDocumentRequest(collection="notes", path="/a.md", revision=1, force=True)
        await tenant.call("RevertDocument", request)
        assert (await search(tenant, "one fish")).results[0].text == "one fish"
        assert tenant.embedded == []
