"""Documents: put, read, edited, moved, deleted, and made searchable meanwhile."""

import grpc
import pytest

from tests.embedding.knowledge.serving import Library, Tenant
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.rpc.errors import RemoteError, from_rpc_error


async def refused(call: object) -> RemoteError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call  # pyright: ignore[reportGeneralTypeIssues]
    return from_rpc_error(error.value)


def paragraphs(count: int) -> list[str]:
    """Each is more than half of a chunk of 32 tokens, so that no two share one."""
    return [
        f"Paragraph {number} speaks of lease {10_000 + number} and of all its clauses, which end."
        for number in range(count)
    ]


async def test_a_document_is_put_indexed_and_read(tenant: Tenant):
    made = await tenant.put("/a/lease.md", "# The lease\n\nIt ends in June.\n")

    assert made.document.title == "The lease"
    assert made.document.media_type == "text/markdown"
    assert (made.document.revision, made.change.kind) == (1, "put")
    assert made.change.folders_made == ["/a"]
    indexing = await tenant.indexed("/a/lease.md")
    assert indexing.state == document_pb2.INDEXING_STATE_READY
    assert (indexing.done, indexing.total, indexing.embedded) == (1, 1, 1)
    assert (await tenant.read("/a/lease.md")).text == "# The lease\n\nIt ends in June.\n"
    assert await tenant.live() == 1


async def test_the_same_again_is_no_revision(tenant: Tenant):
    await tenant.put("/a.md", "once")

    again = await tenant.put("/a.md", "once")

    assert (again.document.revision, again.change.id) == (1, 0)


async def test_e6_an_edit_of_one_paragraph_of_200_embeds_two_texts_at_most(shelves: Library):
    tenant = shelves.tenant()
    await tenant.begin(max_tokens=32)
    texts = paragraphs(200)
    await tenant.put("/big.md", "\n\n".join(texts))
    first = await tenant.indexed("/big.md")
    assert first.embedded == first.total >= 200
    before = {row[4]: row[6] for row in await tenant.vectors()}
    written = await tenant.written()
    tenant.embedded.clear()

    texts[100] = texts[100].replace("clauses", "codicils")
    await tenant.put("/big.md", "\n\n".join(texts))
    second = await tenant.indexed("/big.md")

    assert second.embedded == len(tenant.embedded) <= 2
    after = {row[4]: row[6] for row in await tenant.vectors()}
    assert {text for text in after if before.get(text) != after[text]} == set(tenant.embedded)
    assert await tenant.live() == second.total
    rewritten = await tenant.written()
    # Its old chunk is hidden, its new one there: no other row was touched.
    assert len([each for each in rewritten if rewritten[each] != written.get(each)]) <= 4


async def test_an_edit_replaces_what_is_there_once(tenant: Tenant):
    await tenant.put("/a.md", "one two two")
    edit = pb.EditDocumentRequest(
        collection="notes", path="/a.md", old_text="one", new_text="three"
    )

    assert (await tenant.call("EditDocument", edit)).document.revision == 2
    assert (await tenant.read("/a.md")).text == "three two two"
    for old in ("two", "four"):
        edit = pb.EditDocumentRequest(collection="notes", path="/a.md", old_text=old, new_text="x")
        assert (await refused(tenant.call("EditDocument", edit))).reason == "EDIT_NOT_UNIQUE"


async def test_an_expected_revision_is_compared_and_set(tenant: Tenant):
    await tenant.put("/a.md", "one", expected_revision=0)
    await tenant.put("/a.md", "two", expected_revision=1)

    error = await refused(tenant.put("/a.md", "three", expected_revision=1))

    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "REVISION_MISMATCH")
    assert error.metadata["revision"] == "2"
    assert (await tenant.read("/a.md")).text == "two"


async def test_a_request_is_made_once(tenant: Tenant):
    first = await tenant.put("/a.md", "one", request_id="r")
    await tenant.put("/a.md", "two")

    again = await tenant.put("/a.md", "one", request_id="r")

    assert again.change == first.change
    assert (await tenant.read("/a.md")).text == "two"
    reused = await refused(tenant.put("/a.md", "three", request_id="r"))
    assert reused.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_a_move_takes_a_folder_with_all_that_is_in_it_and_embeds_nothing(tenant: Tenant):
    await tenant.put("/a/b/one.md", "one")
    await tenant.put("/a/two.md", "two")
    for path in ("/a/b/one.md", "/a/two.md"):
        await tenant.indexed(path)
    tenant.embedded.clear()

    move = pb.MoveDocumentRequest(collection="notes", path="/a", new_path="/x/y")
    await tenant.call("MoveDocument", move)

    assert await tenant.paths() == ["/x/y/b/one.md", "/x/y/two.md"]
    assert await tenant.folders() == ["/x", "/x/y", "/x/y/b"]
    assert [row[0] for row in await tenant.vectors()] == ["/x/y/b/one.md", "/x/y/two.md"]
    assert tenant.embedded == []


@pytest.mark.parametrize(
    ("path", "new_path", "reason"),
    [("/a", "/a/b", "INVALID_ARGUMENT"), ("/a", "/c.md", "PATH_TAKEN"), ("/no", "/b", "NOT_FOUND")],
)
async def test_what_cannot_be_moved_stays(tenant: Tenant, path: str, new_path: str, reason: str):
    await tenant.put("/a/one.md", "one")
    await tenant.put("/c.md", "two")
    move = pb.MoveDocumentRequest(collection="notes", path=path, new_path=new_path)

    assert (await refused(tenant.call("MoveDocument", move))).reason == reason
    assert await tenant.paths() == ["/a/one.md", "/c.md"]


async def test_what_is_deleted_is_found_no_more_and_its_history_stays(tenant: Tenant):
    made = await tenant.put("/a.md", "one")
    await tenant.indexed("/a.md")

    await tenant.call("DeleteDocument", pb.DeleteDocumentRequest(collection="notes", path="/a.md"))

    assert await tenant.live() == 0
    assert (await refused(tenant.get("/a.md"))).reason == "NOT_FOUND"
    gone = await tenant.get(made.document.id)
    assert (gone.path, gone.revision) == ("", 2)
    history = await tenant.call(
        "ListRevisions", pb.ListRevisionsRequest(collection="notes", path=made.document.id)
    )
    assert [(each.number, each.path, each.change.kind) for each in history.revisions] == [
        (2, "", "delete"),
        (1, "/a.md", "put"),
    ]


async def test_a_document_is_no_folder(tenant: Tenant):
    await tenant.put("/a", "one", media_type="text/plain")

    assert (await refused(tenant.put("/a/b.md", "two"))).reason == "PATH_TAKEN"
    await tenant.call("CreateFolder", pb.CreateFolderRequest(collection="notes", path="/f"))
    assert (await refused(tenant.put("/f", "two"))).reason == "PATH_TAKEN"
    assert (await tenant.paths(), await tenant.folders()) == (["/a"], ["/f"])


async def test_a_diff_tells_what_changed(tenant: Tenant):
    await tenant.put("/a.md", "one\ntwo\n")
    await tenant.put("/a.md", "one\nthree\n")

    diff = await tenant.call("GetDiff", pb.GetDiffRequest(collection="notes", path="/a.md"))

    assert "-two\n+three\n" in diff.diff
    assert diff.to.number == 2


async def test_other_tenants_find_nothing(tenant: Tenant):
    made = await tenant.put("/a.md", "one")
    other = tenant.library.tenant()

    assert (await refused(other.get("/a.md"))).reason == "NOT_FOUND"
    await other.begin()
    assert (await refused(other.get(made.document.id))).reason == "NOT_FOUND"
    assert await other.paths() == []
