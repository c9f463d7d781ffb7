"""Folders of a collection: whether they are there, and moving them with all that is in them."""

from dataclasses import replace
from uuid import UUID

from turnpike.embedding.knowledge import paths, tree_rows
from turnpike.embedding.knowledge.errors import MissingError, PathTakenError
from turnpike.embedding.knowledge.model import Document, Shape
from turnpike.embedding.knowledge.tree import Step, Tree


async def require_folder(tree: Tree, tenant: UUID, folder: str) -> None:
    """Returns if a folder is there, else raises `MissingError`."""
    if not await tree_rows.folders_at(tree.connection, tenant, tree.collection.id, [folder]):
        raise MissingError("folder", folder)


async def move_folder(tree: Tree, tenant: UUID, old: str, new: str) -> None:
    """Moves a folder with everything in it, or raises `PathTakenError`."""
    connection, inside = tree.connection, tree.collection.id
    found = await tree_rows.below(connection, tenant, inside, old)
    folders = [old, *await tree_rows.folders_below(connection, tenant, inside, old)]
    if await tree_rows.folders_at(connection, tenant, inside, [new]):
        raise PathTakenError(new)
    # Documents are looked for below the old folders only until they are moved.
    await tree.make_folders([paths.moved(folder, old, new) for folder in folders])
    await tree.step(
        [
            step_to(each, replace(each.shape, path=paths.moved(each.shape.path or "", old, new)))
            for each in found
        ]
    )
    await tree.remove_folders(folders)


def step_to(document: Document, shape: Shape) -> Step:
    """Returns what makes a document another."""
    return Step(document=document.id, number=document.number, shape=shape)
