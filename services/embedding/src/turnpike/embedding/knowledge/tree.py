"""A collection's tree under one change: all of it happens, or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge import (
    change_rows,
    index_rows,
    paths,
    tree_rows,
)
from turnpike.embedding.knowledge.errors import PathTakenError
from turnpike.embedding.knowledge.model import (
    Author,
    Collection,
    Document,
    Revision,
    Shape,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a document becomes."""

    document: UUID
    number: int
    """Its newest revision; 0: it is new."""

    shape: Shape
    version: int | None = None
    """The revision whose state that is; None: it is a new state."""


class Tree:
    """A collection that its writer has for itself until the transaction ends."""

    def __init__(
        self, connection: AsyncConnection, author: Author, collection: Collection, change: int
    ) -> None:
        self.connection = connection
        self.collection = collection
        self.change = change
        self.changed = False
        """Whether the change did anything."""

        self.has_work = False
        """Whether something has to be indexed."""

        self._tenant = author.tenant

    async def add(self, shape: Shape) -> UUID:
        """Makes a document, and the folders above it."""
        document = uuid4()
        await self.step([Step(document=document, number=0, shape=shape)])
        return document

    async def revise(self, document: Document, shape: Shape) -> None:
        """Makes a document another."""
        await self.step([Step(document=document.id, number=document.number, shape=shape)])

    async def step(self, steps: Sequence[Step]) -> None:
        """Makes several documents what they become, at once: they may change places.

        Raises:
            PathTakenError: Something else is where one is to be.
        """
        known = [step.document for step in steps if step.number]
        await tree_rows.unplace(self.connection, self._tenant, known)
        places = [step.shape.path for step in steps if step.shape.path is not None]
        await self._require_free(places)
        await self.make_folders(folder for path in places for folder in paths.parents(path))
        for step in steps:
            await self._write(step)
        self.changed = self.changed or bool(steps)

    async def make_folders(self, folders: Iterable[str]) -> None:
        """Makes the folders that are not there, the outer ones first.

        Raises:
            PathTakenError: A document is where one is to be.
        """
        wanted = sorted({parent for path in folders for parent in (*paths.parents(path), path)})
        there = await tree_rows.folders_at(
            self.connection, self._tenant, self.collection.id, wanted
        )
        missing = [path for path in wanted if path not in set(there)]
        taken = await tree_rows.document_at(
            self.connection, self._tenant, self.collection.id, missing
        )
        if taken is not None:
            raise PathTakenError(taken)
        for path in missing:
            await tree_rows.make_folder(self.connection, self._tenant, self.collection.id, path)
            await self._note(path, made=True)

    async def remove_folders(self, folders: Iterable[str]) -> None:
        """Removes the folders that are there, the inner ones first."""
        for path in sorted(folders, reverse=True):
            if await tree_rows.remove_folder(
                self.connection, self._tenant, self.collection.id, path
            ):
                await self._note(path, made=False)

    async def is_empty(self, folder: str) -> bool:
        """Says whether nothing is in a folder."""
        return await tree_rows.is_empty(self.connection, self._tenant, self.collection.id, folder)

    async def _note(self, path: str, *, made: bool) -> None:
        await change_rows.note_folder(self.connection, self._tenant, self.change, path, made=made)
        self.changed = True

    async def _require_free(self, places: list[str]) -> None:
        taken = await tree_rows.document_at(
            self.connection, self._tenant, self.collection.id, places
        )
        folders = await tree_rows.folders_at(
            self.connection, self._tenant, self.collection.id, places
        )
        for path in (taken, *folders):
            if path is not None:
                raise PathTakenError(path)

    async def _write(self, step: Step) -> None:
        number = step.number + 1
        if step.number:
            await tree_rows.update(self.connection, self._tenant, step.document, number, step.shape)
        else:
            await tree_rows.insert(
                self.connection, self._tenant, self.collection.id, step.document, step.shape
            )
        revision = Revision(
            number=number,
            version=number if step.version is None else step.version,
            shape=step.shape,
            change=self.change,
        )
        await change_rows.revise(
            self.connection, self._tenant, step.document, self.change, revision
        )
        present = index_rows.Present(
            tenant=self._tenant, document=step.document, shape=step.shape, before=step.number
        )
        has_work = await index_rows.require(self.connection, self.collection, present)
        self.has_work = self.has_work or has_work


def deleted(shape: Shape) -> Shape:
    """Returns what a document is once it is deleted: all that it was, but nowhere."""
    return replace(shape, path=None)
