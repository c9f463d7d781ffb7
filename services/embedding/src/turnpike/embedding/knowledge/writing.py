"""Writing documents: each request is one change, in one transaction."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.knowledge import (
    change_rows,
    collection_rows,
    content_rows,
    kinds,
    paths,
    tree_rows,
)
from turnpike.embedding.knowledge.content_rows import Limits
from turnpike.embedding.knowledge.errors import (
    EditNotUniqueError,
    FolderNotEmptyError,
    MissingError,
    NotTextError,
    RequestReusedError,
    RevisionMismatchError,
)
from turnpike.embedding.knowledge.folders import move_folder, require_folder, step_to
from turnpike.embedding.knowledge.model import (
    Author,
    Change,
    Collection,
    Content,
    Document,
    Draft,
    Place,
    Shape,
)
from turnpike.embedding.knowledge.originals import Bounds, Originals, text_content
from turnpike.embedding.knowledge.titles import title_of
from turnpike.embedding.knowledge.tree import Tree, deleted
from turnpike.rpc.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did; no change when nothing had to be done."""

    change: Change | None
    document: Document | None = None


class Writing:
    """Writes documents and folders of every tenant.

    Args:
        engine: As the service's own role.
        originals: Where contents come from.
        limits: What a tenant may keep.
        wake: Told that something has to be indexed.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        originals: Originals,
        limits: Limits,
        wake: Callable[[], None],
        *,
        max_document_bytes: int,
        max_original_bytes: int,
    ) -> None:
        self._engine = engine
        self._originals = originals
        self._limits = limits
        self._wake = wake
        self._max_bytes = max_document_bytes
        self._max_original_bytes = max_original_bytes

    @property
    def max_upload_bytes(self) -> int:
        """How many bytes may come in parts, of whatever kind."""
        return max(self._max_bytes, self._max_original_bytes)

    async def put(self, author: Author, place: Place, draft: Draft) -> Written:
        """Writes a document; raises as `PutDocument` says."""
        path = paths.parse(place.path)
        shape, content = await self.prepare(author.tenant, path, draft)
        return await self._put(author, place, shape, content)

    async def upload(
        self, author: Author, place: Place, draft: Draft, parts: AsyncIterable[bytes], sha256: str
    ) -> Written:
        """Writes a document whose bytes come in parts; raises as `UploadDocument` says."""
        path, media_type = paths.parse(place.path), _media_type(draft, place.path)
        async with tenant_transaction(self._engine, author.tenant) as connection:
            # Before anything is read: most mistakes are told by these.
            found = await collection_rows.get(connection, author.tenant, place.collection)
            document = await tree_rows.find(connection, author.tenant, found.id, path)
            if not author.request:
                _expect(path, document, place.expected)
        bounds = Bounds(text=self._max_bytes, original=self._max_original_bytes, sha256=sha256)
        content = await self._originals.received(author.tenant, parts, media_type, bounds)
        if author.request:
            # The same request is one for the same bytes.
            asked = hashlib.sha256(author.request_digest + content.digest).digest()
            author = replace(author, request_digest=asked)
        shape = _shape(path, media_type, draft, content)
        return await self._put(author, place, shape, content)

    async def _put(self, author: Author, place: Place, shape: Shape, content: Content) -> Written:
        path = paths.parse(place.path)

        async def write(tree: Tree) -> UUID:
            found = await tree_rows.find(tree.connection, author.tenant, tree.collection.id, path)
            _expect(path, found, place.expected)
            return await self.place(tree, author.tenant, found, shape, content)

        return await self.change(author, place.collection, "put", write)

    async def prepare(self, tenant: UUID, path: str, draft: Draft) -> tuple[Shape, Content]:
        """Returns what a document at a path becomes; its original is kept by then.

        Raises:
            InvalidArgumentError: It cannot be what it says it is, or is too large.
            UnavailableError: There is no place for originals now.
        """
        media_type = _media_type(draft, path)
        if len(draft.content) > self._max_bytes:
            raise InvalidArgumentError("content", f"must have {self._max_bytes} bytes at most")
        content = await self._originals.kept(tenant, draft.content, media_type)
        return _shape(path, media_type, draft, content), content

    async def edit(self, author: Author, place: Place, old: str, new: str) -> Written:
        """Replaces a part of a document's text; raises as `EditDocument` says."""

        async def write(tree: Tree) -> UUID:
            found = await _existing(tree, author.tenant, place)
            kept = await content_rows.get(tree.connection, author.tenant, found.shape.content)
            if kept.text is None or kept.blob:
                raise NotTextError(place.path, found.shape.media_type)
            times = kept.text.count(old)
            if times != 1:
                raise EditNotUniqueError(place.path, times)
            edited = kept.text.replace(old, new)
            content = text_content(edited.encode(), found.shape.media_type, edited)
            if content.size > self._max_bytes:
                raise InvalidArgumentError("new_text", "would make the document too large")
            shape = replace(found.shape, content=content.digest)
            return await self.place(tree, author.tenant, found, shape, content)

        return await self.change(author, place.collection, "edit", write)

    async def move(self, author: Author, place: Place, new_path: str) -> Written:
        """Moves a document or a folder; raises as `MoveDocument` says."""
        old, new = paths.parse(place.path), paths.parse(new_path, "new_path")
        if paths.is_within(new, old):
            raise InvalidArgumentError("new_path", "is within what is moved")

        async def write(tree: Tree) -> UUID | None:
            found = await tree_rows.find(tree.connection, author.tenant, tree.collection.id, old)
            if found is None:
                await require_folder(tree, author.tenant, old)
                if old != new:
                    await move_folder(tree, author.tenant, old, new)
                return None
            _expect(old, found, place.expected)
            if old != new:
                await tree.revise(found, replace(found.shape, path=new))
            return found.id

        return await self.change(author, place.collection, "move", write)

    async def delete(self, author: Author, place: Place) -> Written:
        """Deletes a document; raises as `DeleteDocument` says."""

        async def write(tree: Tree) -> None:
            found = await _existing(tree, author.tenant, place)
            await self._limits.hold(tree.connection, author.tenant, documents=-1)
            await tree.revise(found, deleted(found.shape))

        return await self.change(author, place.collection, "delete", write)

    async def make_folder(self, author: Author, collection: str, path: str) -> Written:
        """Makes a folder; raises as `CreateFolder` says."""
        parsed = paths.parse(path)

        async def write(tree: Tree) -> None:
            await tree.make_folders([parsed])

        return await self.change(author, collection, "create_folder", write)

    async def delete_folder(
        self, author: Author, collection: str, path: str, *, recursive: bool
    ) -> Written:
        """Deletes a folder; raises as `DeleteFolder` says."""
        folder = paths.parse(path)

        async def write(tree: Tree) -> None:
            await require_folder(tree, author.tenant, folder)
            if not recursive and not await tree.is_empty(folder):
                raise FolderNotEmptyError(folder)
            connection, inside = tree.connection, tree.collection.id
            found = await tree_rows.below(connection, author.tenant, inside, folder)
            await self._limits.hold(connection, author.tenant, documents=-len(found))
            await tree.step([step_to(document, deleted(document.shape)) for document in found])
            below = await tree_rows.folders_below(connection, author.tenant, inside, folder)
            await tree.remove_folders([folder, *below])

        return await self.change(author, collection, "delete_folder", write)

    async def change(
        self,
        author: Author,
        collection: str | UUID,
        kind: str,
        write: Callable[[Tree], Awaitable[UUID | None]],
        *,
        reverts: int | None = None,
    ) -> Written:
        """Makes one change, or finds the one that the same request made before."""
        async with self._locked(author, collection) as (connection, found):
            asked = await change_rows.asked(connection, author)
            if asked is not None:
                return await _replayed(connection, author, asked)
            number = await change_rows.open_change(connection, author, found.id, kind, reverts)
            tree = Tree(connection, author, found, number)
            document = await write(tree)
            change = None
            if tree.changed:
                change = (await change_rows.changes(connection, author.tenant, [number]))[number]
            elif not author.request:
                await change_rows.forget(connection, author.tenant, number)
            written = Written(
                change,
                await tree_rows.by_id(connection, author.tenant, document) if document else None,
            )
        if tree.has_work:
            self._wake()
        return written

    @asynccontextmanager
    async def _locked(
        self, author: Author, collection: str | UUID
    ) -> AsyncGenerator[tuple[AsyncConnection, Collection]]:
        try:
            async with tenant_transaction(self._engine, author.tenant) as connection:
                if isinstance(collection, UUID):
                    find = collection_rows.lock_by_id(connection, author.tenant, collection)
                else:
                    find = collection_rows.lock(connection, author.tenant, collection)
                yield connection, await find
        except IntegrityError as error:
            # The one thing that two writers of different collections can meet at.
            if "changes_asked" in str(error.orig):
                raise RequestReusedError from error
            raise

    async def place(
        self,
        tree: Tree,
        tenant: UUID,
        found: Document | None,
        shape: Shape,
        content: Content,
    ) -> UUID:
        """Makes a document, also a deleted one, what it is to be, within a change."""
        if found is not None and found.shape == shape:
            return found.id
        added = await content_rows.keep(tree.connection, tenant, content)
        new = 1 if found is None or found.shape.path is None else 0
        await self._limits.hold(tree.connection, tenant, documents=new, added=added)
        if found is None:
            return await tree.add(shape)
        await tree.revise(found, shape)
        return found.id


def _media_type(draft: Draft, path: str) -> str:
    media_type = kinds.media_type_of(draft.media_type, path)
    if not media_type:
        raise InvalidArgumentError("media_type", "is no media type")
    return media_type


def _shape(path: str, media_type: str, draft: Draft, content: Content) -> Shape:
    return Shape(
        path=path,
        title=draft.title or title_of(content.text or "", media_type, path),
        media_type=media_type,
        metadata=dict(draft.metadata),
        content=content.digest,
    )


async def _replayed(
    connection: AsyncConnection, author: Author, asked: tuple[int, bytes]
) -> Written:
    number, digest = asked
    if digest != author.request_digest:
        raise RequestReusedError
    change = (await change_rows.changes(connection, author.tenant, [number]))[number]
    if len(change.documents) != 1:
        return Written(change)
    document = change.documents[0].document
    return Written(change, await tree_rows.by_id(connection, author.tenant, document))


async def _existing(tree: Tree, tenant: UUID, place: Place) -> Document:
    path = paths.parse(place.path)
    found = await tree_rows.find(tree.connection, tenant, tree.collection.id, path)
    if found is None:
        raise MissingError("document", path)
    _expect(path, found, place.expected)
    return found


def _expect(path: str, found: Document | None, expected: int | None) -> None:
    number = 0 if found is None else found.number
    if expected is not None and expected != number:
        raise RevisionMismatchError(path, number, expected)
