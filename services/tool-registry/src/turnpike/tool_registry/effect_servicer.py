"""EffectService: wire ↔ model."""

from uuid import UUID

from turnpike.api.tool_registry.v1 import effect_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_call_service_pb2
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import EffectServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.paging import cursor_of, moment, page_size, page_token, text
from turnpike.rpc.served import Context, caller_of
from turnpike.tool_registry.effects import Effect, Effects
from turnpike.tool_registry.ownership import Who
from turnpike.tool_registry.wire import call_to_wire

_ADMINS = frozenset({"admin", "owner"})
_TIMEOUT_SECONDS = 60.0


class EffectServicer(EffectServiceServicer):
    """Serves turnpike.api.tool_registry.v1.EffectService."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    async def ListUnknownEffects(
        self, request: pb.ListUnknownEffectsRequest, context: Context
    ) -> pb.ListUnknownEffectsResponse:
        after = cursor_of(request.page_token, moment, text)
        before, effect = after or (None, "")
        size = page_size(request.page_size)
        tenant, who = _caller(context)
        found = await self._effects.page_unknown(
            tenant, who, before=before, effect=effect, limit=size + 1
        )
        shown = found[:size]
        return pb.ListUnknownEffectsResponse(
            effects=[_to_wire(each) for each in shown],
            next_page_token=page_token(shown[-1].created, shown[-1].call.effect)
            if len(found) > size
            else "",
        )

    async def GetEffect(
        self, request: pb.GetEffectRequest, context: Context
    ) -> pb.GetEffectResponse:
        tenant, who = _caller(context)
        effect = await self._effects.get(tenant, who, request.effect)
        return pb.GetEffectResponse(effect=_to_wire(effect))

    async def ResolveEffect(
        self, request: pb.ResolveEffectRequest, context: Context
    ) -> pb.ResolveEffectResponse:
        tenant, who = _caller(context)
        timeout = request.timeout.ToTimedelta().total_seconds()
        effect = await self._effects.resolve(
            tenant,
            who,
            request.effect,
            generation=request.generation,
            verdict=_verdict(request),
            text=request.text,
            timeout_seconds=timeout or _TIMEOUT_SECONDS,
        )
        return pb.ResolveEffectResponse(effect=_to_wire(effect))


def _caller(context: Context) -> tuple[UUID, Who]:
    caller = caller_of(context)
    if not caller.tenant:
        raise ForbiddenError("an effect is a tenant's")
    # A service shows what it is asked for; the principal that it names narrows it.
    is_admin = caller.role in _ADMINS or not caller.principal
    return UUID(caller.tenant), Who(caller.principal, is_admin)


def _verdict(request: pb.ResolveEffectRequest) -> str:
    name = tool_call_service_pb2.Resolution.Name(request.resolution)
    return name.removeprefix("RESOLUTION_")


def _to_wire(effect: Effect) -> pb.Effect:
    return pb.Effect(
        call=call_to_wire(effect.call),
        tool=effect.call.tool,
        arguments=effect.call.arguments,
        principal=effect.call.principal,
        turn=str(effect.turn),
        create_time=effect.created,
        dispatch_time=effect.dispatched,
        finish_time=effect.finished,
    )
