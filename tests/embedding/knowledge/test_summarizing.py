"""Summaries: what the planner reads, what is kept, and what becomes of those it refuses."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.conftest import Keys
from tests.embedding.knowledge.serving import Tenant, library, settings_for
from tests.embedding.knowledge.test_documents import paragraphs, refused
from tests.embedding.searching.planners import Asked, planner
from turnpike.api.embedding.v1 import collection_service_pb2 as collections_pb
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.blobs.directory import DirectoryStore
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.knowledge import summary_rows
from turnpike.embedding.knowledge.leftovers import Leftovers
from turnpike.embedding.knowledge.summarizing import PART_TOKENS
from turnpike.embedding.knowledge.summary_rows import Subject

Told = tuple[Tenant, Asked, Callable[[str | None], None]]


@pytest.fixture
async def told(knowledge_urls: MigrationUrls, keys: Keys, tmp_path: Path) -> AsyncGenerator[Told]:
    """A tenant, what its planner was asked, and what has it say something else."""
    said: list[str | None] = ["In short: tolls."]
    async with planner(lambda _: said[0]) as (asking, asked):
        settings = settings_for(knowledge_urls, keys, tmp_path)
        async with library(settings, keys, knowledge_urls, asking) as served:
            tenant = served.tenant()
            await tenant.begin()
            yield tenant, asked, lambda words: said.__setitem__(0, words)


async def summarize(tenant: Tenant, path: str, **fields: int) -> pb.SummarizeDocumentResponse:
    request = pb.SummarizeDocumentRequest(collection=tenant.collection, path=path, **fields)
    return await tenant.call("SummarizeDocument", request)


async def test_a_text_is_summarized_once_and_what_it_becomes_anew(told: Told):
    tenant, asked, _ = told
    await tenant.put("/a.md", "The toll is due.")
    await tenant.put("/copy.md", "The toll is due.")
    await tenant.indexed("/copy.md")

    first = await summarize(tenant, "/a.md")
    again = await summarize(tenant, "/copy.md")

    assert (first.summary, first.calls) == ("In short: tolls.", 1)
    assert first.digest == (await tenant.get("/a.md")).digest
    assert (again.summary, again.calls) == (first.summary, 0)
    (request,) = asked.requests
    assert request.text == "The toll is due."
    assert "200 words" in request.instructions
    assert (await summarize(tenant, "/a.md", words=20)).calls == 1, "another length is another"
    await tenant.put("/a.md", "The toll is waived.")
    await tenant.indexed("/a.md")
    assert (await summarize(tenant, "/a.md")).calls == 1
    assert (await summarize(tenant, "/a.md", revision=1)).calls == 0


async def test_a_long_text_is_summarized_in_parts_that_are_all_of_it_and_none_too_long(
    told: Told,
):
    tenant, asked, say = told
    whole = "\n\n".join(paragraphs(400))
    await tenant.put("/a.md", whole)

    made = await summarize(tenant, "/a.md")

    *parts, last = [request.text for request in asked.requests]
    assert made.calls == len(parts) + 1 > 2
    assert "".join(sorted(parts, key=whole.index)) == whole
    counts = await tenant.library.counted.embedder.count([*parts, last])
    assert max(counts) <= PART_TOKENS
    assert last == "\n\n".join(["In short: tolls."] * len(parts))
    say("refused")
    await tenant.put("/b.md", whole + "\n\nOne more.")
    assert (await refused(summarize(tenant, "/b.md"))).reason == "UNAVAILABLE"
    say("In short: tolls.")
    assert (await summarize(tenant, "/b.md")).calls == 1, "parts that were done are kept"


async def test_a_planner_that_shortens_nothing_is_not_asked_for_ever(told: Told):
    tenant, asked, say = told
    whole = "\n\n".join(paragraphs(400))
    await tenant.put("/a.md", whole)
    say(whole)

    error = await asyncio.wait_for(refused(summarize(tenant, "/a.md")), 15)

    assert error.reason == "UNAVAILABLE"
    assert len(asked.requests) > 1


async def test_summaries_go_with_the_last_content_that_they_are_of(told: Told, tmp_path: Path):
    tenant, _, _ = told
    other = replace(tenant, collection="others")
    await other.begin()
    # One text, and two contents: they are of two types.
    for each, shared in ((tenant, "/a.md"), (other, "/a.txt")):
        await each.put(shared, "The toll is due.")
        await each.put("/b.md", f"The toll is due, says {each.collection}.")
        for path in (shared, "/b.md"):
            await summarize(each, path)
    stores = tenant.library.stores
    leftovers = Leftovers(stores.system, stores.engine, DirectoryStore(tmp_path, "embedding"))

    left = list[int]()
    for each in (tenant, other):
        request = collections_pb.DeleteCollectionRequest(name=each.collection)
        await each.library.collections.DeleteCollection(
            request, metadata=each.as_principal("admin")
        )
        await leftovers.sweep()
        left.append(await summaries(tenant))

    assert left == [2, 0], "the one that both have stays, until the last of them is gone"


async def test_nothing_is_kept_of_a_text_that_went_while_it_was_summarized(told: Told):
    tenant, _, _ = told
    subject = Subject(tenant=UUID(tenant.id), content=b"gone", text="The toll.", recipe="1/200")

    async with tenant_transaction(tenant.library.stores.engine, tenant.id) as connection:
        assert await summary_rows.keep(connection, subject, "Tolls.") == "Tolls."

    assert await summaries(tenant) == 0


async def summaries(tenant: Tenant) -> int:
    """Returns how many summaries are kept of the tenant's texts."""
    statement = text("SELECT count(*) FROM summaries WHERE tenant = :tenant")
    async with tenant.library.stores.system.connect() as connection:
        return await connection.scalar(statement, {"tenant": UUID(tenant.id)}) or 0


@pytest.mark.parametrize(
    ("said", "reason"),
    [("absent", "NO_PLANNER"), ("", "UNAVAILABLE")],
    ids=["nobody has the role", "nothing was said"],
)
async def test_without_an_answer_there_is_a_reason_and_nothing_is_kept(
    told: Told, said: str, reason: str
):
    tenant, asked, say = told
    await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")
    say(said)

    assert (await refused(summarize(tenant, "/a.md"))).reason == reason
    say("one")
    assert (await summarize(tenant, "/a.md")).calls == 1
    assert len(asked.requests) == 2


async def test_without_a_planner_a_summary_says_so_and_documents_go_on(tenant: Tenant):
    await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")

    assert (await refused(summarize(tenant, "/a.md"))).reason == "NO_PLANNER"
    assert (await refused(summarize(tenant, "/none.md"))).reason == "NOT_FOUND"


async def test_who_hangs_up_has_the_planner_s_call_given_up(told: Told):
    tenant, asked, say = told
    await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")
    say(None)
    asking = asyncio.create_task(summarize(tenant, "/a.md"))
    await asyncio.wait_for(asked.begun.wait(), 15)

    asking.cancel()

    await asyncio.wait_for(asked.cancelled.wait(), 15)
