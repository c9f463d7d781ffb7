"""Sequences of changes, and their way back."""

import random
from typing import Any

import grpc

from tests.embedding.knowledge.serving import Tenant
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb

REVERTED = document_pb2.REVERSAL_OUTCOME_REVERTED


async def taken_back(tenant: Tenant, chance: random.Random, *, actions: int) -> list[str]:
    """Changes a tree at random and takes it all back; returns what was not as it had been."""
    for name in ("/a.md", "/f/b.md", "/f/g/c.md"):
        await tenant.put(name, f"text of {name}")
    await all_indexed(tenant)
    states, ids = [await tree_of(tenant)], list[int]()
    while len(ids) < actions:
        change = await act(tenant, chance)
        if change:
            await all_indexed(tenant)
            ids.append(change)
            states.append(await tree_of(tenant))
    tenant.embedded.clear()
    faults = list[str]()
    for change, state in zip(reversed(ids), reversed(states[:-1]), strict=True):
        (reversal,) = await revert(tenant, collection="notes", change=change)
        if reversal.outcome != REVERTED:
            faults.append(f"change {change} was not taken back: {reversal}")
        if await tree_of(tenant) != state:
            faults.append(f"the tree before change {change} is another")
    if tenant.embedded:
        faults.append(f"{len(tenant.embedded)} texts were embedded")
    return faults


async def revert(tenant: Tenant, **fields: Any) -> list[document_pb2.Reversal]:
    response = await tenant.call("RevertChanges", pb.RevertChangesRequest(**fields))
    return list(response.reversals)


async def tree_of(tenant: Tenant) -> list[Any]:
    """Returns all that there is of a tenant, to the last byte."""
    listed = await tenant.call(
        "ListDocuments", pb.ListDocumentsRequest(collection="notes", page_size=500)
    )
    documents = [
        (each.id, each.path, each.title, each.media_type, dict(each.metadata), each.digest)
        for each in listed.documents
    ]
    return [documents, await tenant.folders(), await tenant.vectors(), await tenant.live()]


async def all_indexed(tenant: Tenant) -> None:
    for path in await tenant.paths():
        indexing = await tenant.indexed(path)
        assert indexing.state == document_pb2.INDEXING_STATE_READY, indexing


async def act(tenant: Tenant, chance: random.Random) -> int:
    """Does something at random; returns the change, 0 if it was refused or nothing."""
    names = ["/a.md", "/f/b.md", "/f/g/c.md", "/h/d.md", "/f/e.md"]
    folders = ["/f", "/f/g", "/h", "/i", "/f/k"]
    name, other = chance.choice(names), chance.choice(names)
    folder, elsewhere = chance.choice(folders), chance.choice(folders)
    request: Any = chance.choice(
        [
            pb.PutDocumentRequest(path=name, content=chance.choice([b"one", b"two", b"three"])),
            pb.EditDocumentRequest(path=name, old_text="text", new_text="word"),
            pb.MoveDocumentRequest(path=name, new_path=other),
            pb.MoveDocumentRequest(path=folder, new_path=elsewhere),
            pb.DeleteDocumentRequest(path=name),
            pb.CreateFolderRequest(path=folder),
            pb.DeleteFolderRequest(path=folder, recursive=True),
        ]
    )
    request.collection = "notes"
    method = type(request).__name__.removesuffix("Request")
    try:
        response = await tenant.call(method, request)
    except grpc.aio.AioRpcError:
        return 0
    return response.change.id
