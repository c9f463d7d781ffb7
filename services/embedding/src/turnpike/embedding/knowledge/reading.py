"""What there is, and was, of documents."""

import asyncio
import difflib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.knowledge import (
    change_rows,
    collection_rows,
    content_rows,
    paths,
    tree_rows,
)
from turnpike.embedding.knowledge.errors import MissingError, NotExtractedError
from turnpike.embedding.knowledge.model import (
    Change,
    Content,
    Document,
    Place,
    Revision,
)
from turnpike.embedding.knowledge.originals import Originals

_READ = 100_000
_MAX_DIFF = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Lines of a document's text."""

    document: Document
    text: str
    first_line: int
    last_line: int
    lines: int
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What makes one revision's text another's."""

    older: Revision | None
    newer: Revision
    changes: dict[int, Change]
    diff: str
    truncated: bool


class Reading:
    """Shows documents of every tenant."""

    def __init__(self, engine: AsyncEngine, originals: Originals) -> None:
        self._engine = engine
        self._originals = originals

    async def get(self, tenant: UUID, place: Place) -> Document:
        """Returns a document, or raises `MissingError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await _find(connection, tenant, place)

    async def page(
        self,
        tenant: UUID,
        collection: str,
        folder: str,
        *,
        shallow: bool,
        after: str,
        limit: int,
    ) -> list[Document]:
        """Returns a folder's documents by path."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await collection_rows.get(connection, tenant, collection)
            return await tree_rows.page(
                connection,
                tenant,
                found.id,
                paths.parse_folder(folder),
                shallow=shallow,
                after=after,
                limit=limit,
            )

    async def folders(
        self, tenant: UUID, collection: str, folder: str, *, after: str, limit: int
    ) -> list[str]:
        """Returns the folders below a folder by path."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await collection_rows.get(connection, tenant, collection)
            return await tree_rows.folders_below(
                connection,
                tenant,
                found.id,
                paths.parse_folder(folder),
                after=after,
                limit=limit,
            )

    async def lines(
        self, tenant: UUID, place: Place, *, revision: int, first: int, last: int, characters: int
    ) -> Excerpt:
        """Returns lines of a document's text; raises as `ReadDocument` says."""
        document, content = await self._content(tenant, place, revision)
        if content.text is None:
            raise NotExtractedError(place.path)
        return await asyncio.to_thread(
            _excerpt, document, content.text, first, last, characters or _READ
        )

    async def text(self, tenant: UUID, place: Place, revision: int) -> tuple[str, bytes]:
        """Returns the whole text of a revision, and its content's digest."""
        _, content = await self._content(tenant, place, revision)
        if content.text is None:
            raise NotExtractedError(place.path)
        return content.text, content.digest

    async def original(
        self, tenant: UUID, place: Place, *, revision: int
    ) -> tuple[Content, AsyncIterator[bytes]]:
        """Returns what a document's original is, and its bytes."""
        _, content = await self._content(tenant, place, revision)
        return content, self._originals.read(content)

    async def history(
        self, tenant: UUID, place: Place, *, before: int, limit: int
    ) -> tuple[list[Revision], dict[int, Change]]:
        """Returns a document's revisions, the newest first, and the changes that made them."""
        async with tenant_transaction(self._engine, tenant) as connection:
            document = await _find(connection, tenant, place)
            revisions = await change_rows.history(
                connection, tenant, document.id, before=before, limit=limit
            )
            made_by = [revision.change for revision in revisions]
            return revisions, await change_rows.changes(connection, tenant, made_by)

    async def diff(self, tenant: UUID, place: Place, older: int, newer: int) -> Difference:
        """Compares two revisions; raises as `GetDiff` says."""
        async with tenant_transaction(self._engine, tenant) as connection:
            document = await _find(connection, tenant, place)
            after = await _revision(connection, tenant, document, newer or document.number)
            number = older or after.number - 1
            before = await _revision(connection, tenant, document, number) if number else None
            made_by = [each.change for each in (before, after) if each]
            changes = await change_rows.changes(connection, tenant, made_by)
            texts = [await _text(connection, tenant, each, place.path) for each in (before, after)]
        diff = await asyncio.to_thread(_diff, texts[0], texts[1], before, after)
        return Difference(
            older=before,
            newer=after,
            changes=changes,
            diff=diff[:_MAX_DIFF],
            truncated=len(diff) > _MAX_DIFF,
        )

    async def changes(
        self,
        tenant: UUID,
        *,
        collection: str,
        folder: str,
        turn: UUID | None,
        before: int,
        limit: int,
    ) -> list[Change]:
        """Returns changes, the newest first."""
        async with tenant_transaction(self._engine, tenant) as connection:
            inside = None
            if collection:
                inside = (await collection_rows.get(connection, tenant, collection)).id
            ids = await change_rows.find(
                connection,
                tenant,
                collection=inside,
                folder=paths.parse_folder(folder),
                turn=turn,
                before=before,
                limit=limit,
            )
            found = await change_rows.changes(connection, tenant, ids)
            return [found[each] for each in ids]

    async def names(self, tenant: UUID, collections: set[UUID]) -> dict[UUID, str]:
        """Returns collections' names by their ids."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await collection_rows.names(connection, tenant, collections)

    async def _content(self, tenant: UUID, place: Place, revision: int) -> tuple[Document, Content]:
        async with tenant_transaction(self._engine, tenant) as connection:
            document = await _find(connection, tenant, place)
            digest = document.shape.content
            if revision:
                shape = (await _revision(connection, tenant, document, revision)).shape
                digest = shape.content
            return document, await content_rows.get(connection, tenant, digest)


async def _find(connection: AsyncConnection, tenant: UUID, place: Place) -> Document:
    found = await collection_rows.get(connection, tenant, place.collection)
    return await tree_rows.get(connection, tenant, found.id, place.path)


async def _revision(
    connection: AsyncConnection, tenant: UUID, document: Document, number: int
) -> Revision:
    found = await change_rows.revision(connection, tenant, document.id, number)
    if found is None:
        raise MissingError("revision", number)
    return found


async def _text(
    connection: AsyncConnection, tenant: UUID, revision: Revision | None, path: str
) -> str:
    if revision is None:
        return ""
    content = await content_rows.get(connection, tenant, revision.shape.content)
    if content.text is None:
        raise NotExtractedError(path)
    return content.text


def _excerpt(document: Document, text: str, first: int, last: int, most: int) -> Excerpt:
    lines = text.splitlines(keepends=True)
    wanted = lines[max(first, 1) - 1 : last or len(lines)]
    taken, size = 0, 0
    for line in wanted:
        if size + len(line) > most:
            break
        taken, size = taken + 1, size + len(line)
    shown = "".join(wanted[:taken])
    if not taken and wanted:
        taken, shown = 1, wanted[0][:most]
    start = max(first, 1)
    return Excerpt(
        document=document,
        text=shown,
        first_line=start,
        last_line=start + taken - 1 if taken else 0,
        lines=len(lines),
        truncated=taken < len(wanted) or len(shown) < sum(map(len, wanted[:taken])),
    )


def _diff(old: str, new: str, before: Revision | None, after: Revision) -> str:
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            f"revision {before.number}" if before else "/dev/null",
            f"revision {after.number}",
        )
    )
