"""Revisions: what was comes back as it was, and what was edited since stays."""

import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from sqlalchemy import text

from tests.embedding.knowledge.sequences import (
    REVERTED,
    all_indexed,
    revert,
    taken_back,
    tree_of,
)
from tests.embedding.knowledge.serving import Tenant
from tests.embedding.knowledge.test_documents import refused
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb

UNCHANGED = document_pb2.REVERSAL_OUTCOME_UNCHANGED
EDITED_SINCE = document_pb2.REVERSAL_OUTCOME_EDITED_SINCE
PATH_TAKEN = document_pb2.REVERSAL_OUTCOME_PATH_TAKEN


@dataclass
class Agent:
    """A turn that changes documents through the tool-registry."""

    tenant: Tenant
    turn: str

    async def call(self, method: str, request: Any) -> Any:
        request.turn = self.turn
        request.collection = "notes"
        return await getattr(self.tenant.library.documents, method)(
            request, metadata=self.tenant.as_service()
        )

    async def put(self, path: str, content: str) -> None:
        await self.call("PutDocument", pb.PutDocumentRequest(path=path, content=content.encode()))


@pytest.fixture
def agent(tenant: Tenant) -> Agent:
    return Agent(tenant, str(uuid4()))


async def delete(tenant: Tenant, path: str) -> pb.DeleteDocumentResponse:
    request = pb.DeleteDocumentRequest(collection="notes", path=path)
    return await tenant.call("DeleteDocument", request)


async def test_a_document_is_again_what_it_was_with_its_vectors(tenant: Tenant):
    await tenant.put("/a.md", "one", metadata={"by": "me"})
    await all_indexed(tenant)
    before = await tree_of(tenant)
    await tenant.put("/a.md", "two")
    await all_indexed(tenant)
    tenant.embedded.clear()

    request = pb.RevertDocumentRequest(
        collection="notes", path="/a.md", revision=1, expected_revision=2
    )
    response = await tenant.call("RevertDocument", request)

    assert response.document.revision == 3
    assert await tree_of(tenant) == before
    assert tenant.embedded == []


async def test_a_deleted_document_comes_back(tenant: Tenant):
    made = await tenant.put("/f/a.md", "one")
    await all_indexed(tenant)
    before = await tree_of(tenant)
    deleted = await delete(tenant, "/f/a.md")

    (reversal,) = await revert(tenant, collection="notes", change=deleted.change.id)

    assert reversal.outcome == REVERTED
    assert await tree_of(tenant) == before
    assert (await tenant.get("/f/a.md")).id == made.document.id


async def test_e11_what_a_person_edited_since_is_left_alone_unless_forced(
    tenant: Tenant, agent: Agent
):
    await tenant.put("/a.md", "the person's")
    await agent.put("/a.md", "the agent's")
    await tenant.put("/a.md", "the person's again")

    (reversal,) = await revert(tenant, turn=agent.turn)

    assert reversal.outcome == EDITED_SINCE
    (conflict,) = reversal.conflicts
    assert (conflict.path, conflict.revision, conflict.reverted_revision) == ("/a.md", 3, 2)
    assert (await tenant.read("/a.md")).text == "the person's again"
    stale = pb.RevertDocumentRequest(
        collection="notes", path="/a.md", revision=1, expected_revision=2
    )
    error = await refused(tenant.call("RevertDocument", stale))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "EDITED_SINCE")
    assert (error.metadata["revision"], error.metadata["expected"]) == ("3", "2")

    (forced,) = await revert(tenant, turn=agent.turn, force=True)

    assert forced.outcome == REVERTED
    assert (await tenant.read("/a.md")).text == "the person's"


async def test_a_turn_is_taken_back_in_reverse_and_each_action_says_how_it_fared(
    tenant: Tenant, agent: Agent
):
    await tenant.put("/kept.md", "one")
    await tenant.put("/other.md", "other")
    await all_indexed(tenant)
    before = await tree_of(tenant)
    await agent.put("/kept.md", "two")
    await agent.put("/kept.md", "three")
    await agent.put("/new/made.md", "made")
    await agent.call(
        "MoveDocument", pb.MoveDocumentRequest(path="/kept.md", new_path="/moved/kept.md")
    )
    await agent.call("DeleteDocument", pb.DeleteDocumentRequest(path="/other.md"))
    await all_indexed(tenant)
    tenant.embedded.clear()

    reversals = await revert(tenant, turn=agent.turn)

    assert [each.outcome for each in reversals] == [REVERTED] * 5
    assert [each.change.kind for each in reversals] == ["delete", "move", "put", "put", "put"]
    assert await tree_of(tenant) == before
    assert tenant.embedded == []
    again = await revert(tenant, turn=agent.turn)
    assert {each.outcome for each in again} == {UNCHANGED}


async def test_one_action_in_the_way_does_not_keep_the_others(tenant: Tenant, agent: Agent):
    await agent.put("/one.md", "one")
    await agent.put("/two.md", "two")
    await tenant.put("/two.md", "the person's")

    reversals = await revert(tenant, turn=agent.turn)

    assert [each.outcome for each in reversals] == [EDITED_SINCE, REVERTED]
    assert await tenant.paths() == ["/two.md"]


async def test_a_place_that_somebody_else_has_taken_is_not_taken_from_them(
    tenant: Tenant, agent: Agent
):
    await tenant.put("/a.md", "one")
    await agent.call("DeleteDocument", pb.DeleteDocumentRequest(path="/a.md"))
    await tenant.put("/a.md", "another")

    (reversal,) = await revert(tenant, turn=agent.turn, force=True)

    assert reversal.outcome == PATH_TAKEN
    assert [each.path for each in reversal.conflicts] == ["/a.md"]
    assert (await tenant.read("/a.md")).text == "another"


async def test_a_folder_is_again_what_it_was_at_a_moment(tenant: Tenant):
    await tenant.put("/f/a.md", "one")
    await tenant.put("/elsewhere.md", "one")
    moment = (await tenant.put("/f/b.md", "two")).change.time
    await all_indexed(tenant)
    before = await tree_of(tenant)
    await tenant.put("/f/a.md", "three")
    await tenant.call(
        "MoveDocument", pb.MoveDocumentRequest(collection="notes", path="/f", new_path="/g")
    )
    remove = pb.DeleteFolderRequest(collection="notes", path="/g", recursive=True)
    await tenant.call("DeleteFolder", remove)

    reversals = await revert(tenant, collection="notes", folder="/f", since=moment)
    assert [each.change.kind for each in reversals] == ["move", "put"]
    assert {each.outcome for each in reversals} == {EDITED_SINCE}
    reversals = await revert(tenant, collection="notes", folder="/g", since=moment)
    assert {each.outcome for each in reversals} == {REVERTED}
    reversals = await revert(tenant, collection="notes", folder="/f", since=moment)

    assert await tree_of(tenant) == before


async def test_e13_a_snapshot_that_cannot_be_written_refuses_the_delete(tenant: Tenant):
    await tenant.put("/a.md", "one")
    await all_indexed(tenant)
    before = await tree_of(tenant)
    async with _no_revisions(tenant):
        error = await refused(delete(tenant, "/a.md"))
        assert error.code is grpc.StatusCode.INTERNAL
        folder = pb.DeleteFolderRequest(collection="notes", path="/", recursive=True)
        assert (await refused(tenant.call("DeleteFolder", folder))).reason == "INVALID_ARGUMENT"

    assert await tree_of(tenant) == before


class _no_revisions:  # reads as a statement
    """While it is open, the database takes no revision of a tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    async def __aenter__(self) -> None:
        await self._run(
            "ALTER TABLE embedding.revisions ADD CONSTRAINT none_of_them"
            f" CHECK (tenant <> '{UUID(self._tenant.id)}') NOT VALID"
        )

    async def __aexit__(self, *_: object) -> None:
        await self._run("ALTER TABLE embedding.revisions DROP CONSTRAINT none_of_them")

    async def _run(self, statement: str) -> None:
        async with self._tenant.library.superuser() as connection:
            await connection.execute(text(statement))


@pytest.mark.parametrize("seed", range(5))
async def test_e10_sequences_of_actions_are_taken_back_in_reverse_to_the_last_byte(
    tenant: Tenant, seed: int
):
    assert await taken_back(tenant, random.Random(seed), actions=6) == []
