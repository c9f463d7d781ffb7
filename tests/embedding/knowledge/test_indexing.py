"""Indexing: what its holder's death leaves, and what foreign files may do to it."""

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import openpyxl
import pytest
from docx import Document as Docx
from pptx import Presentation
from pptx.util import Pt
from sqlalchemy import text

from tests.conftest import Keys, Schemas
from tests.embedding.knowledge.serving import (
    Library,
    Tenant,
    holding,
    killed,
    library,
    settings_for,
    waits,
)
from tests.embedding.knowledge.test_documents import paragraphs, refused
from tests.locks import held_up
from tests.waiting import until
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.embedding.children import Bounds
from turnpike.embedding.claims import ClaimLostError
from turnpike.embedding.knowledge import content_rows, job_rows
from turnpike.embedding.knowledge.extraction import Extraction, ExtractionError
from turnpike.embedding.knowledge.model import Recipe, State
from turnpike.embedding.model import Priority


def word() -> bytes:
    file = io.BytesIO()
    document = Docx()
    document.add_heading("Terms", level=2)
    document.add_paragraph("Rent is due.")
    table = document.add_table(rows=2, cols=2)
    for number, value in enumerate(("month", "rent", "June", "900")):
        table.cell(number // 2, number % 2).text = value
    document.save(file)
    return file.getvalue()


def sheet() -> bytes:
    file = io.BytesIO()
    workbook = openpyxl.Workbook()
    page = workbook.active
    assert page is not None
    page.title = "Rents"
    page.append(["month", "rent"])
    page.append(["June", 900])
    workbook.save(file)
    return file.getvalue()


def slides() -> bytes:
    file = io.BytesIO()
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Rents"
    body = slide.shapes.add_textbox(Pt(0), Pt(0), Pt(100), Pt(100))
    body.text_frame.text = "They are due."
    presentation.save(file)
    return file.getvalue()


def pdf(words: str) -> bytes:
    """Returns the least PDF that has a line of text."""
    stream = f"BT /F1 12 Tf 72 720 Td ({words}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)


@pytest.mark.parametrize(
    ("name", "original", "expected"),
    [
        ("a.pdf", pdf("Rent is due."), "Rent is due."),
        ("a.html", b"<h1>Rents</h1><p>They are <b>due</b>.</p><script>x</script>", "# Rents\n\nTh"),
        ("a.docx", word(), "## Terms\n\nRent is due.\n\n| month | rent |\n| --- | --- |\n| June"),
        ("a.xlsx", sheet(), "# Rents\n\n| month | rent |\n| --- | --- |\n| June | 900 |"),
        ("a.pptx", slides(), "# Rents\n\nThey are due."),
    ],
    ids=["pdf", "html", "docx", "xlsx", "pptx"],
)
async def test_the_text_of_a_file_is_extracted_and_its_original_kept(
    tenant: Tenant, name: str, original: bytes, expected: str
):
    await tenant.put(f"/{name}", original)

    indexing = await tenant.indexed(f"/{name}")

    assert indexing.state == document_pb2.INDEXING_STATE_READY, indexing
    assert (await tenant.read(f"/{name}")).text.startswith(expected)
    request = pb.ReadOriginalRequest(collection="notes", path=f"/{name}")
    stream = tenant.library.documents.ReadOriginal(request, metadata=tenant.as_principal())
    assert b"".join([part.content async for part in stream]) == original


@pytest.mark.parametrize(
    ("name", "original", "reason"),
    [
        ("a.pdf", b"%PDF-1.4 and nothing else", "EXTRACTION_FAILED"),
        ("a.docx", b"no archive", "EXTRACTION_FAILED"),
        ("a.bin", b"\x00\x01", "MEDIA_TYPE_UNKNOWN"),
    ],
)
async def test_what_has_no_text_says_why_and_is_kept(
    tenant: Tenant, name: str, original: bytes, reason: str
):
    await tenant.put(f"/{name}", original)

    indexing = await tenant.indexed(f"/{name}")

    assert (indexing.state, indexing.reason) == (document_pb2.INDEXING_STATE_FAILED, reason)
    assert indexing.detail
    read = tenant.read(f"/{name}")
    assert (await refused(read)).reason == "NOT_EXTRACTED"


async def test_an_archive_that_would_unpack_to_more_than_it_may_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"word/{number}", bytes(100 << 20))
    extraction = Extraction(Bounds(seconds=30, memory_bytes=1 << 30), at_once=1)

    with pytest.raises(ExtractionError, match="unpacks to more") as caught:
        await extraction.text(
            file.getvalue(),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        )

    assert caught.value.reason == "EXTRACTION_FAILED"


async def test_e1_the_loop_goes_on_while_a_file_is_extracted_that_takes_for_ever():
    # A page that is drawn a hundred thousand times over.
    endless = pdf(") Tj T* (".join(["word"] * 200_000))
    extraction = Extraction(Bounds(seconds=1, memory_bytes=1 << 30), at_once=1)
    task = asyncio.create_task(extraction.text(endless, "application/pdf"))
    beats = 0
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1

    with pytest.raises(ExtractionError) as caught:
        await task
    assert caught.value.reason in ("EXTRACTION_LIMIT", "EXTRACTION_FAILED")
    # Not a figure: a loop that stood still would count one or two.
    assert beats > 5


async def test_ingestion_is_bulk_work(tenant: Tenant):
    tenant.library.counted.priorities.clear()

    await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")

    assert tenant.library.counted.priorities == {Priority.BULK}


async def test_what_a_tenant_may_keep_is_bounded_and_what_it_deletes_gives_room(
    knowledge_urls: Any, keys: Keys, tmp_path: Path
):
    settings = settings_for(
        knowledge_urls, keys, tmp_path, max_tenant_documents=2, max_tenant_bytes=100
    )
    async with library(settings, keys, knowledge_urls) as shelves:
        tenant = shelves.tenant()
        await tenant.begin()
        await tenant.put("/a.md", "one")
        await tenant.put("/b.md", "two")

        error = await refused(tenant.put("/c.md", "three"))

        assert (error.reason, error.metadata["unit"]) == ("TENANT_LIMIT", "documents")
        assert [each.metric for each in error.quota] == ["documents"]
        large = await refused(tenant.put("/b.md", "x" * 100))
        assert (large.reason, large.metadata["unit"]) == ("TENANT_LIMIT", "bytes")
        delete = pb.DeleteDocumentRequest(collection="notes", path="/a.md")
        await tenant.call("DeleteDocument", delete)
        await tenant.put("/c.md", "three")
        assert await tenant.paths() == ["/b.md", "/c.md"]


async def test_a_claim_that_is_another_s_by_now_writes_nothing(tenant: Tenant):
    stores = tenant.library.stores
    job = await _claimed_by_hand(tenant)
    async with tenant_transaction(stores.engine, job.tenant) as connection:
        await connection.execute(
            text("UPDATE indexings SET fence = fence + 1 WHERE id = :id"), {"id": job.id}
        )

    for late in (
        lambda connection: job_rows.renew(connection, job),
        lambda connection: job_rows.advance(connection, job, State.EMBEDDING, done=1),
        lambda connection: job_rows.end(connection, job, State.READY),
        lambda connection: job_rows.release(connection, job, seconds=0, counts=True),
    ):
        with pytest.raises(ClaimLostError):
            async with tenant_transaction(stores.engine, job.tenant) as connection:
                await late(connection)


async def _claimed_by_hand(tenant: Tenant) -> job_rows.Job:
    """Returns a job that no worker of the session's gets at: it is claimed as it is made."""
    stores = tenant.library.stores
    made = await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")
    async with system_transaction(stores.system) as connection:
        row = (
            await connection.execute(
                text(
                    "UPDATE indexings SET state = 'QUEUED', fence = fence + 1,"
                    " due_at = statement_timestamp() + interval '1 hour'"
                    " WHERE tenant = :tenant AND document = :document RETURNING *"
                ),
                {"tenant": UUID(tenant.id), "document": UUID(made.document.id)},
            )
        ).one()
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


async def test_a_vector_that_is_dropped_as_it_is_borrowed_is_embedded(tenant: Tenant):
    await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")
    tenant.embedded.clear()
    waits = text(
        "SELECT count(*) > 0 FROM pg_locks"
        " WHERE NOT granted AND relation = CAST('embedding.chunks' AS regclass)"
    )
    drop = text("DELETE FROM embedding.chunks WHERE tenant = :tenant")
    async with tenant.library.superuser() as dropping:
        # Whoever looks for the chunk finds it, and whoever copies it waits until it is gone.
        await dropping.execute(text("LOCK TABLE embedding.chunks IN SHARE MODE"))
        await tenant.put("/b.md", "one")

        async def is_waited_for() -> bool:
            return bool(await dropping.scalar(waits))

        await until(is_waited_for, 15)
        await dropping.execute(drop, {"tenant": UUID(tenant.id)})

    indexing = await tenant.indexed("/b.md")

    assert indexing.state == document_pb2.INDEXING_STATE_READY
    assert tenant.embedded == ["one"]
    assert [row[0] for row in await tenant.vectors()] == ["/b.md"]
    async with system_transaction(tenant.library.stores.system) as connection:
        attempts = "SELECT max(attempts) FROM indexings WHERE tenant = :tenant"
        assert await connection.scalar(text(attempts), {"tenant": UUID(tenant.id)}) == 1


async def test_what_is_being_indexed_is_moved_without_anybody_waiting_in_turn(tenant: Tenant):
    async with holding(tenant, "LOCK TABLE chunks IN SHARE MODE"):
        await tenant.put("/f/a.md", "one")
        await waits(tenant, "INSERT INTO chunks")
        request = pb.MoveDocumentRequest(collection="notes", path="/f", new_path="/g")
        moving = asyncio.create_task(tenant.call("MoveDocument", request))
        await waits(tenant, "UPDATE documents SET path")

    await moving

    assert (await tenant.indexed("/g/a.md")).state == document_pb2.INDEXING_STATE_READY
    async with system_transaction(tenant.library.stores.system) as connection:
        attempts = "SELECT max(attempts) FROM indexings WHERE tenant = :tenant"
        assert await connection.scalar(text(attempts), {"tenant": UUID(tenant.id)}) == 1


async def test_whoever_puts_many_documents_delays_nobody_but_themselves(shelves: Library):
    many, few = shelves.tenant(), shelves.tenant()
    for tenant in (many, few):
        await tenant.begin()
    jobs: list[job_rows.Job] = []
    async with shelves.superuser() as connection:
        # What is queued and claimed here is rolled back unseen.
        await connection.execute(text("SET LOCAL search_path = embedding"))
        for tenant, count in ((many, 5), (few, 1)):
            await _queue(connection, UUID(tenant.id), count)
        ours = {UUID(many.id), UUID(few.id)}
        while len(jobs) < 6 and (job := await job_rows.claim(connection)):
            # What another test left may be due as well.
            jobs += [job] if job.tenant in ours else []
        await connection.rollback()

    assert [str(job.tenant) for job in jobs].index(few.id) <= 1


async def test_what_documents_are_is_indexed_before_what_they_were(
    schemas: Schemas, keys: Keys, tmp_path: Path
):
    urls = await schemas.apart("embedding")
    async with library(settings_for(urls, keys, tmp_path, index_jobs=0), keys, urls) as idle:
        tenant = idle.tenant()
        await tenant.begin()
        for path, words in (
            ("/a.md", "one"), ("/gone.md", "gone"), ("/b.md", "other"),
            ("/a.md", "two"), ("/a.md", "three"), ("/a.md", "four"),
        ):  # fmt: skip
            await tenant.put(path, words)
        # Somebody waits for it again.
        back = pb.RevertDocumentRequest(collection="notes", path="/a.md", revision=2, force=True)
        await tenant.call("RevertDocument", back)
        delete = pb.DeleteDocumentRequest(collection="notes", path="/gone.md")
        await tenant.call("DeleteDocument", delete)
        claimed = [await _claimed(idle) for _ in range(6)]

    assert claimed[:2] == ["other", "two"]
    assert sorted(claimed[2:]) == ["four", "gone", "one", "three"], "each gets its vectors"


async def test_a_claim_that_is_not_committed_yet_holds_no_other_tenants_job(
    schemas: Schemas, keys: Keys, tmp_path: Path
):
    urls = await schemas.apart("embedding")
    async with library(settings_for(urls, keys, tmp_path, index_jobs=0), keys, urls) as idle:
        tenants = [idle.tenant(), idle.tenant()]
        for tenant in tenants:
            await tenant.begin()
            await tenant.put("/a.md", "one")
        async with (
            system_transaction(idle.stores.system) as one,
            system_transaction(idle.stores.system) as two,
        ):
            jobs = [await job_rows.claim(one), await job_rows.claim(two)]

    assert [str(job.tenant) for job in jobs if job] == [tenant.id for tenant in tenants]


async def _claimed(shelves: Library) -> str:
    """Claims the next job; returns what it is to index."""
    async with system_transaction(shelves.stores.system) as connection:
        job = await job_rows.claim(connection)
        assert job is not None
        return (await content_rows.get(connection, job.tenant, job.content)).text or ""


async def _queue(connection: Any, tenant: UUID, count: int) -> None:
    await connection.execute(text("SET LOCAL session_replication_role = replica"))
    for _ in range(count):
        await connection.execute(
            text(
                "INSERT INTO indexings (tenant, id, collection, document, content, recipe, model)"
                " VALUES (:tenant, :id, :id, :id, '', 'recursive/0/0/1', 'm')"
            ),
            {"tenant": tenant, "id": uuid4()},
        )


_SECOND_STEP_WAITS = """
CREATE FUNCTION embedding.wait_for_leave() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
CREATE TRIGGER wait_for_leave BEFORE UPDATE OF done ON embedding.indexings FOR EACH ROW
  WHEN (OLD.done > 0 AND NEW.done > OLD.done) EXECUTE FUNCTION embedding.wait_for_leave();
SELECT pg_advisory_lock(1);
"""


@asynccontextmanager
async def half_way(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """Has whoever indexes wait, while the block runs, behind the first of its steps."""
    holder = await asyncpg.connect(urls.migration)
    try:
        await holder.execute(_SECOND_STEP_WAITS)
        yield holder
    finally:
        await holder.close()


async def test_ingestion_survives_sigkill_and_embeds_nothing_twice(
    schemas: Schemas, keys: Keys, tmp_path: Path
):
    urls = await schemas.apart("embedding")
    settings = settings_for(urls, keys, tmp_path)
    async with library(settings_for(urls, keys, tmp_path, index_jobs=0), keys, urls) as idle:
        tenant = idle.tenant()
        await tenant.begin(max_tokens=32)
        await tenant.put("/a.md", "\n\n".join(paragraphs(100)))

        async with half_way(urls) as holder:
            async with killed(urls, keys, tmp_path):
                await held_up(holder, "UPDATE indexings", seconds=60)
            kept = (await tenant.get("/a.md")).indexing.done
        async with idle.superuser() as connection:
            # As when the claim has run out.
            await connection.execute(text("UPDATE embedding.indexings SET due_at = now()"))
    assert 0 < kept < 100

    async with library(settings, keys, urls) as shelves:
        indexing = await tenant.on(shelves).indexed("/a.md")
        embedded = len(tenant.on(shelves).embedded)

    assert indexing.state == document_pb2.INDEXING_STATE_READY
    assert embedded <= indexing.total - kept
