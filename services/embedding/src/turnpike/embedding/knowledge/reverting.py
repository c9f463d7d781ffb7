"""Taking changes back: what was is there again, vectors included, and nothing is embedded."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.knowledge import (
    change_rows,
    collection_rows,
    paths,
    tree_rows,
)
from turnpike.embedding.knowledge.content_rows import Limits
from turnpike.embedding.knowledge.errors import (
    EditedSinceError,
    MissingError,
    PathTakenError,
)
from turnpike.embedding.knowledge.model import (
    Author,
    Change,
    Conflict,
    Document,
    DocumentChange,
    Fate,
    Place,
    Reversal,
    Revision,
)
from turnpike.embedding.knowledge.tree import Step, Tree, deleted
from turnpike.embedding.knowledge.writing import Writing, Written

MOST = 1000
"""How many changes one request takes back at most."""


class _EditedSinceError(Exception):
    """Something was edited after the change."""

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__()
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class _Return:
    """A document's way back: from what a change made of it to what was before."""

    document: Document
    current: Revision
    made: Revision
    before: Revision | None
    """None: it was not there."""

    @property
    def version(self) -> int:
        """Whose state it returns to; 0 for that of not being there."""
        return self.before.version if self.before else 0

    @property
    def is_done(self) -> bool:
        """Whether it is as it was, or as it was before that: the change is taken back."""
        return self.current.version == self.version or self.current.version < self.made.version

    @property
    def is_edited(self) -> bool:
        """Whether it is neither as it was nor as the change made it."""
        return not self.is_done and self.current.version != self.made.version

    def step(self) -> Step:
        """Returns what it becomes."""
        shape = self.before.shape if self.before else deleted(self.made.shape)
        return Step(
            document=self.document.id,
            number=self.document.number,
            shape=shape,
            version=self.version,
        )


class Reverting:
    """Takes changes of every tenant back."""

    def __init__(self, engine: AsyncEngine, writing: Writing, limits: Limits) -> None:
        self._engine = engine
        self._writing = writing
        self._limits = limits

    async def document(self, author: Author, place: Place, number: int, *, force: bool) -> Written:
        """Makes a document what it was at a revision; raises as `RevertDocument` says."""

        async def write(tree: Tree) -> UUID:
            connection, tenant = tree.connection, author.tenant
            found = await tree_rows.get(connection, tenant, tree.collection.id, place.path)
            if not force and found.number != place.expected:
                raise EditedSinceError(place.path, found.number, place.expected or 0)
            wanted = await _revision(connection, tenant, found.id, number)
            current = await _revision(connection, tenant, found.id, found.number)
            if current.version != wanted.version:
                step = Step(
                    document=found.id,
                    number=found.number,
                    shape=wanted.shape,
                    version=wanted.version,
                )
                await self._count(connection, tenant, [(current, step)])
                await tree.step([step])
            return found.id

        return await self._writing.change(author, place.collection, "revert", write)

    async def changes(
        self,
        author: Author,
        *,
        collection: str,
        change: int = 0,
        turn: UUID | None = None,
        folder: str = paths.ROOT,
        since: datetime | None = None,
        force: bool,
    ) -> list[Reversal]:
        """Takes changes back, the newest first, each whole or not at all."""
        async with tenant_transaction(self._engine, author.tenant) as connection:
            inside = None
            if collection:
                inside = (await collection_rows.get(connection, author.tenant, collection)).id
            ids = [change]
            if not change:
                ids = await change_rows.find(
                    connection,
                    author.tenant,
                    collection=inside,
                    folder=paths.parse_folder(folder),
                    turn=turn,
                    since=since,
                    limit=MOST,
                )
            found = await change_rows.changes(connection, author.tenant, ids)
        if change and (change not in found or inside not in (None, found[change].collection)):
            raise MissingError("change", change)
        return [await self._revert(author, found[each], force=force) for each in ids]

    async def _revert(self, author: Author, change: Change, *, force: bool) -> Reversal:
        async def write(tree: Tree) -> None:
            await self._take_back(tree, author.tenant, change, force=force)

        try:
            written = await self._writing.change(
                author, change.collection, "revert", write, reverts=change.id
            )
        except _EditedSinceError as error:
            return Reversal(change=change, fate=Fate.EDITED_SINCE, conflicts=error.conflicts)
        except PathTakenError as error:
            taken = Conflict(path=error.path)
            return Reversal(change=change, fate=Fate.PATH_TAKEN, conflicts=(taken,))
        fate = Fate.REVERTED if written.change else Fate.UNCHANGED
        return Reversal(change=change, fate=fate, reversal=written.change)

    async def _take_back(self, tree: Tree, tenant: UUID, change: Change, *, force: bool) -> None:
        connection = tree.connection
        ways = [await _way_back(connection, tenant, each) for each in change.documents]
        edited = tuple(_conflict(way) for way in ways if way.is_edited)
        if edited and not force:
            raise _EditedSinceError(edited)
        open_ways = [(way.current, way.step()) for way in ways if not way.is_done]
        await self._count(connection, tenant, open_ways)
        await tree.make_folders(change.removed)
        await tree.step([step for _, step in open_ways])
        # The inner ones first; one that somebody has put something into since stays.
        for folder in sorted(change.made, reverse=True):
            if await tree.is_empty(folder):
                await tree.remove_folders([folder])

    async def _count(
        self, connection: AsyncConnection, tenant: UUID, steps: list[tuple[Revision, Step]]
    ) -> None:
        there = sum(step.shape.path is not None for _, step in steps)
        before = sum(current.shape.path is not None for current, _ in steps)
        await self._limits.hold(connection, tenant, documents=there - before, is_bound=False)


async def _way_back(connection: AsyncConnection, tenant: UUID, change: DocumentChange) -> _Return:
    document = await tree_rows.by_id(connection, tenant, change.document)
    return _Return(
        document=document,
        current=await _revision(connection, tenant, document.id, document.number),
        made=await _revision(connection, tenant, document.id, change.number),
        before=await change_rows.revision(connection, tenant, document.id, change.number - 1),
    )


async def _revision(
    connection: AsyncConnection, tenant: UUID, document: UUID, number: int
) -> Revision:
    found = await change_rows.revision(connection, tenant, document, number)
    if found is None:
        raise MissingError("revision", number)
    return found


def _conflict(way: _Return) -> Conflict:
    return Conflict(
        path=way.document.shape.path or way.made.shape.path or "",
        document=way.document.id,
        number=way.document.number,
        reverted=way.made.number,
    )
