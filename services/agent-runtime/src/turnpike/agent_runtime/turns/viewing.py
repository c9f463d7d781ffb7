"""Looking at turns: folded, listed, watched, cancelled."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.callers import Person
from turnpike.agent_runtime.errors import CursorBeyondEndError, NotFoundError
from turnpike.agent_runtime.events.batches import Batches, Head
from turnpike.agent_runtime.events.counting import REPLAYED, SUBSCRIPTIONS, WATCHERS
from turnpike.agent_runtime.events.fold import Folded, fold
from turnpike.agent_runtime.events.tails import Tails
from turnpike.agent_runtime.turns import queries
from turnpike.agent_runtime.turns.model import Turn
from turnpike.agent_runtime.turns.ownership import Owner
from turnpike.agent_runtime.turns.requests import TurnRequests
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import UnavailableError

_CANCEL_SECONDS = 20.0
_LOOKS = 5
_LOOK_SECONDS = 0.1


class Views:
    """Shows turns to those who may see them."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        requests: TurnRequests,
        batches: Batches,
        tails: Tails,
        owner: Owner,
    ) -> None:
        self._engine = engine
        self._requests = requests
        self._batches = batches
        self._tails = tails
        self._owner = owner

    async def get(self, viewer: Person, turn: UUID) -> tuple[Turn, Folded]:
        """Returns a turn and what its log says so far, or raises `NotFoundError`."""
        found = await self._find(viewer, turn)
        folded = await self._folded(found)
        if folded.ended and not found.ended:
            # It ended between the two: both are to say so.
            found = await self._find(viewer, turn)
        return found, folded

    async def page(
        self,
        viewer: Person,
        *,
        thread: UUID | None,
        agent: str | None,
        statuses: Sequence[str],
        before: int | None,
        limit: int,
    ) -> list[Turn]:
        """Returns turns, newest first; raises `NotFoundError` for an unknown thread."""
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            if thread is not None and not await queries.thread_exists(
                connection, thread, principal=viewer.only
            ):
                raise NotFoundError("thread", str(thread))
            return await queries.list_turns(
                connection,
                principal=viewer.only,
                thread=thread,
                agent=agent,
                statuses=statuses,
                before=before,
                limit=limit,
            )

    async def watch(
        self, viewer: Person, turn: UUID, after: int
    ) -> AsyncGenerator[tuple[list[Event], bool]]:
        """Yields events after a number, and whether there is nothing left at all.

        Raises:
            NotFoundError: There is no such turn.
            CursorBeyondEndError: `after` is beyond the end.
        """
        try:
            found = await self._find(viewer, turn)
        except NotFoundError:
            SUBSCRIPTIONS.labels(kind="not_found").inc()
            raise
        head = _head(found)
        if after > head.committed:
            await self._check_cursor(head, after)
        SUBSCRIPTIONS.labels(kind="resumed" if after else "initial").inc()
        if head.ended and after == head.committed:
            yield [], True
            return
        with WATCHERS.track_inprogress():
            async with aclosing(self._tails.watch(head, after)) as batches:
                async for events in batches:
                    if after and events and events[-1].seq <= head.committed:
                        REPLAYED.inc(len(events))
                    yield events, False

    async def watch_all(self, turn: Turn) -> AsyncGenerator[list[Event]]:
        """Yields the events of a turn that its caller may see, from 1."""
        SUBSCRIPTIONS.labels(kind="initial").inc()
        with WATCHERS.track_inprogress():
            async with aclosing(self._tails.watch(_head(turn), 0)) as batches:
                async for events in batches:
                    yield events

    async def cancel(self, viewer: Person, turn: UUID) -> tuple[Turn, Folded]:
        """Cancels a turn, and returns it when it has ended.

        Raises:
            NotFoundError: There is no such turn.
            UnavailableError: It has not ended yet; asking again is safe.
        """
        outcome, owner = await self._requests.cancel(
            viewer.tenant, turn, viewer.principal, any_principal=viewer.is_admin
        )
        if outcome == "NONE":
            raise NotFoundError("turn", str(turn))
        if outcome != "ENDED":
            found = await self._find(viewer, turn)
            await self._until_ended(found, owner)
        return await self.get(viewer, turn)

    async def _until_ended(self, turn: Turn, owner: UUID | None) -> None:
        # From what is committed: what Redis has may be the end already, which comes once.
        watching = self._tails.watch(_head(turn), turn.committed_seq)
        try:
            async with (
                asyncio.timeout(_CANCEL_SECONDS),
                aclosing(watching) as batches,
            ):
                await anext(batches)
                await self._owner.request_cancel(owner, turn.id)
                async for _ in batches:
                    pass
        except TimeoutError:
            raise UnavailableError("the turn has not ended yet; ask again") from None

    async def _find(self, viewer: Person, turn: UUID) -> Turn:
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            found = await queries.get_turn(connection, turn, principal=viewer.only)
        if found is None:
            raise NotFoundError("turn", str(turn))
        return found

    async def _folded(self, turn: Turn) -> Folded:
        events: list[Event] = []
        while page := await self._batches.after(
            turn.tenant, turn.id, events[-1].seq if events else 0
        ):
            events.extend(page)
        while not turn.ended and (
            page := await self._tails.recent(turn.id, events[-1].seq if events else 0)
        ):
            events.extend(page)
        return fold(events)

    async def _check_cursor(self, head: Head, after: int) -> None:
        """Raises `CursorBeyondEndError`, unless the number may have been shown.

        An owner whose log Redis lost writes it again: what was shown is there in a moment.
        """
        shown = 0
        for _ in range(_LOOKS):
            shown = await self._tails.last(head.turn)
            if after <= max(head.committed, shown):
                return
            if head.ended or after > head.reserved:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        # What Redis lost may have been shown, up to the reserved numbers.
        last = max(head.committed, shown or (0 if head.ended else head.reserved))
        if after > last:
            raise CursorBeyondEndError(last)


def _head(turn: Turn) -> Head:
    return Head(
        tenant=turn.tenant,
        turn=turn.id,
        committed=turn.committed_seq,
        reserved=turn.reserved_seq,
        ended=turn.ended,
    )
