"""Writing what a source read: a document and what is noted of it, in one transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from turnpike.embedding.claims import ClaimLostError
from turnpike.embedding.knowledge import change_rows, paths, tree_rows
from turnpike.embedding.knowledge.content_rows import Limits
from turnpike.embedding.knowledge.errors import MissingError, PathTakenError
from turnpike.embedding.knowledge.model import Author, Document, Draft, Shape
from turnpike.embedding.knowledge.tree import Tree, deleted
from turnpike.embedding.knowledge.writing import Writing
from turnpike.embedding.sources import item_rows, run_rows
from turnpike.embedding.sources.errors import ItemError, ItemSkippedError
from turnpike.embedding.sources.fetching import URI
from turnpike.embedding.sources.model import Begun, Item, ItemState, Job
from turnpike.rpc.errors import InvalidArgumentError

KIND = "sync"
"""What changes are called that a source makes."""

_Write: TypeAlias = Callable[[Tree], Awaitable[UUID | None]]


class Shelf:
    """Puts what sources read where it belongs, unless somebody else changed that."""

    def __init__(self, writing: Writing, limits: Limits) -> None:
        self._writing = writing
        self._limits = limits

    async def put(self, job: Job, run: Begun, item: Item, draft: Draft) -> bool:
        """Makes an item's document what was read; says whether it was anything else.

        Raises:
            ClaimLostError: The run is somebody else's by now, or the source is gone.
            ItemError: It cannot be written.
            ItemSkippedError: Somebody else changed it here.
            TenantLimitError: The tenant keeps as much as it may.
        """
        try:
            shape, content = await self._writing.prepare(job.tenant, item.path, draft)
        except InvalidArgumentError as error:
            raise ItemError(error.reason, str(error)) from error

        async def write(tree: Tree) -> UUID:
            # After the collection: as everybody else does.
            await run_rows.hold(tree.connection, job)
            found, version = await _found(tree, job, item, shape)
            document = await self._writing.place(tree, job.tenant, found, shape, content)
            if tree.changed:
                version = 1 if found is None else found.number + 1
            ok = replace(
                item,
                state=ItemState.OK,
                document=document,
                version=version,
                reason="",
                detail="",
            )
            await item_rows.put(tree.connection, job, run, ok)
            is_new = found is None or found.shape.path is None
            await run_rows.count(
                tree.connection,
                job,
                run,
                added=int(tree.changed and is_new),
                changed=int(tree.changed and not is_new),
            )
            return document

        return await self._change(job, write)

    async def remove(self, job: Job, run: Begun, item: Item) -> None:
        """Deletes the document of an item that is gone; raises as `put` does."""

        async def write(tree: Tree) -> UUID | None:
            await run_rows.hold(tree.connection, job)
            gone = replace(item, state=ItemState.REMOVED, mark="", reason="", detail="")
            if item.document is not None:
                found = await tree_rows.by_id(tree.connection, job.tenant, item.document)
                if found.shape.path is not None:
                    await _require_ours(tree, job, item, found)
                    await self._limits.hold(tree.connection, job.tenant, documents=-1)
                    await tree.revise(found, deleted(found.shape))
                    await _remove_empty(tree, job.folder, found.shape.path)
                    await run_rows.count(tree.connection, job, run, removed=1)
                    gone = replace(gone, version=found.number + 1)
            await item_rows.put(tree.connection, job, run, gone)
            return None

        await self._change(job, write)

    async def _change(self, job: Job, write: _Write) -> bool:
        author = Author(tenant=job.tenant, principal=job.principal)
        try:
            written = await self._writing.change(author, job.collection, KIND, write)
        except PathTakenError as error:
            raise ItemError(error.reason, str(error)) from error
        except MissingError as error:
            raise ClaimLostError from error
        return written.change is not None


async def _found(tree: Tree, job: Job, item: Item, shape: Shape) -> tuple[Document | None, int]:
    """Returns the document that an item has here, and whose state that is."""
    connection = tree.connection
    if item.document is not None:
        found = await tree_rows.by_id(connection, job.tenant, item.document)
        return found, await _require_ours(tree, job, item, found)
    found = await tree_rows.find(connection, job.tenant, tree.collection.id, item.path)
    if found is None:
        return None, 0
    # What an earlier source left behind is taken over; anything else is not ours.
    if found.shape.metadata.get(URI) != item.uri:
        raise PathTakenError(item.path)
    if found.shape != shape and not job.spec.overwrites:
        raise _edited(found)
    return found, await _version(tree, job.tenant, found)


async def _require_ours(tree: Tree, job: Job, item: Item, found: Document) -> int:
    version = await _version(tree, job.tenant, found)
    if version != item.version and not job.spec.overwrites:
        raise _edited(found)
    return version


async def _version(tree: Tree, tenant: UUID, found: Document) -> int:
    revision = await change_rows.revision(tree.connection, tenant, found.id, found.number)
    return 0 if revision is None else revision.version


def _edited(found: Document) -> ItemSkippedError:
    where = "deleted" if found.shape.path is None else f"revision {found.number}"
    return ItemSkippedError("EDITED_HERE", f"its document was changed here: it is {where}")


async def _remove_empty(tree: Tree, root: str, path: str) -> None:
    """Removes the folders above a deleted document that have nothing in them any more."""
    for folder in sorted(paths.parents(path), reverse=True):
        if not paths.is_within(folder, root) or not await tree.is_empty(folder):
            return
        await tree.remove_folders([folder])
