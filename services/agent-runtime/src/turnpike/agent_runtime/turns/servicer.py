"""Serves turnpike.api.agent_runtime.v1.TurnService."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from turnpike.agent_runtime.callers import person, person_of
from turnpike.agent_runtime.cursors import Cursors
from turnpike.agent_runtime.turns.conversion import (
    identifier,
    start_from_proto,
    statuses_from_proto,
    turn_to_proto,
)
from turnpike.agent_runtime.turns.stalling import unless_stalled
from turnpike.agent_runtime.turns.starting import Starter
from turnpike.agent_runtime.turns.viewing import Views
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceServicer
from turnpike.rpc.identity import require_role
from turnpike.rpc.paging import number, page_size
from turnpike.rpc.served import Context, caller_of


class TurnServicer(TurnServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.TurnService."""

    def __init__(self, starter: Starter, views: Views, cursors: Cursors) -> None:
        self._starter = starter
        self._views = views
        self._cursors = cursors

    async def StartTurn(
        self, request: pb.StartTurnRequest, context: Context
    ) -> pb.StartTurnResponse:
        caller = caller_of(context)
        require_role(caller, "member")
        turn, created = await self._starter.start(start_from_proto(request, caller))
        if created:
            return pb.StartTurnResponse(turn=turn_to_proto(turn, None, caller), created=True)
        known, folded = await self._views.get(person(caller), turn.id)
        return pb.StartTurnResponse(turn=turn_to_proto(known, folded, caller))

    def RunTurn(
        self, request: pb.RunTurnRequest, context: Context
    ) -> AsyncGenerator[pb.RunTurnResponse]:
        return unless_stalled(self._run(request, context), context)

    def WatchTurn(
        self, request: pb.WatchTurnRequest, context: Context
    ) -> AsyncGenerator[pb.WatchTurnResponse]:
        return unless_stalled(self._watch(request, context), context)

    async def _run(
        self, request: pb.RunTurnRequest, context: Context
    ) -> AsyncGenerator[pb.RunTurnResponse]:
        caller = caller_of(context)
        require_role(caller, "member")
        turn, created = await self._starter.start(start_from_proto(request.start, caller))
        first = pb.RunTurnResponse(turn=turn_to_proto(turn, None, caller), created=created)
        async with aclosing(self._views.watch_all(turn)) as batches:
            async for events in batches:
                first.events.extend(events)
                yield first
                first = pb.RunTurnResponse()

    async def _watch(
        self, request: pb.WatchTurnRequest, context: Context
    ) -> AsyncGenerator[pb.WatchTurnResponse]:
        viewer = person_of(context)
        turn = identifier("turn", request.turn)
        async with aclosing(self._views.watch(viewer, turn, request.after)) as batches:
            async for events, exhausted in batches:
                yield pb.WatchTurnResponse(events=events, exhausted=exhausted)

    async def GetTurn(self, request: pb.GetTurnRequest, context: Context) -> pb.GetTurnResponse:
        caller = caller_of(context)
        turn, folded = await self._views.get(person(caller), identifier("turn", request.turn))
        return pb.GetTurnResponse(turn=turn_to_proto(turn, folded, caller))

    async def ListTurns(
        self, request: pb.ListTurnsRequest, context: Context
    ) -> pb.ListTurnsResponse:
        caller, size = caller_of(context), page_size(request.page_size)
        viewer = person(caller)
        cursor = self._cursors.cursor(viewer.tenant, request.page_token, number)
        turns = await self._views.page(
            viewer,
            thread=identifier("thread", request.thread) if request.thread else None,
            agent=request.agent or None,
            statuses=statuses_from_proto(request.statuses),
            before=cursor[0] if cursor else None,
            limit=size + 1,
        )
        last = turns[size - 1] if len(turns) > size else None
        return pb.ListTurnsResponse(
            turns=[turn_to_proto(turn, None, caller) for turn in turns[:size]],
            next_page_token=self._cursors.token(viewer.tenant, last.position) if last else "",
        )

    async def CancelTurn(
        self, request: pb.CancelTurnRequest, context: Context
    ) -> pb.CancelTurnResponse:
        caller = caller_of(context)
        require_role(caller, "member")
        turn, folded = await self._views.cancel(person(caller), identifier("turn", request.turn))
        return pb.CancelTurnResponse(turn=turn_to_proto(turn, folded, caller))
