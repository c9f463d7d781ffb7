"""What may be done to threads."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.callers import Person
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.threads import store
from turnpike.agent_runtime.threads.model import Exchange, Thread
from turnpike.database.tenancy import tenant_transaction

_Found = TypeVar("_Found")

CancelTurn = Callable[[Person, UUID], Awaitable[object]]
"""Cancels a turn and returns when it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to become of a thread; None keeps what is there."""

    title: str | None
    metadata: Mapping[str, str] | None


class Threads:
    """A suite's threads. Somebody else's does not exist, unless an admin asks.

    Args:
        engine: Where they are.
        cancel_turn: See `CancelTurn`.
    """

    def __init__(self, engine: AsyncEngine, cancel_turn: CancelTurn) -> None:
        self._engine = engine
        self._cancel_turn = cancel_turn

    async def create(
        self,
        person: Person,
        *,
        title: str,
        metadata: Mapping[str, str],
        temporary: bool,
        session: str = "",
    ) -> Thread:
        """Creates an empty thread, or returns the person's thread of a session."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            return await store.create_thread(
                connection,
                tenant=person.tenant,
                principal=person.principal,
                title=title,
                metadata=metadata,
                temporary=temporary,
                session=session,
            )

    async def get(self, person: Person, thread: UUID) -> Thread:
        """Returns a thread, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            found = await store.get_thread(connection, thread, principal=person.only)
        return _existing(found, thread)

    async def page(
        self, person: Person, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> list[Thread]:
        """Returns threads, newest first, older than `before`; none that are temporary."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            return await store.list_threads(
                connection, principal=person.only, before=before, limit=limit
            )

    async def update(self, person: Person, thread: UUID, change: Change) -> Thread:
        """Changes a thread, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            found = await store.update_thread(
                connection,
                thread,
                principal=person.only,
                title=change.title,
                metadata=change.metadata,
            )
        return _existing(found, thread)

    async def delete(self, person: Person, thread: UUID) -> None:
        """Cancels a thread's turns, and deletes it with all that is in it.

        It is closed first, so that no turn gets in meanwhile. What is broken off
        halfway a sweep finishes; asking again does so at once.

        Raises:
            NotFoundError: There is no such thread.
            UnavailableError: A turn has not ended yet; asking again is safe.
        """
        async with tenant_transaction(self._engine, person.tenant) as connection:
            turns = await store.close_thread(connection, thread, principal=person.only)
        for turn in _existing(turns, thread):
            # The sweep may have deleted it by now, if this took very long.
            with suppress(NotFoundError):
                await self._cancel_turn(person, turn)
        async with tenant_transaction(self._engine, person.tenant) as connection:
            await store.delete_thread(connection, thread)

    async def exchanges(
        self, person: Person, thread: UUID, *, after: int, limit: int
    ) -> list[Exchange]:
        """Returns what was said after a position, oldest first, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            _existing(await store.get_thread(connection, thread, principal=person.only), thread)
            return await store.exchanges(connection, thread, after=after, limit=limit)


def _existing(found: _Found | None, thread: UUID) -> _Found:
    if found is None:
        raise NotFoundError("thread", str(thread))
    return found
