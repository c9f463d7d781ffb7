"""What calls may have done: those of unknown outcome, and what people say of them."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Response
from pydantic import Field

from turnpike.api.tool_registry.v1 import effect_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_call_service_pb2, tool_pb2
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import EffectServiceStub
from turnpike.gateway.documents import embed_array, rfc3339
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, raw_reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

EffectId = Annotated[
    str,
    Path(pattern=r"^[0-9a-f-]{36}:[0-9]{1,9}:[0-9]{1,9}$", description="`turn:step:ordinal`."),
]
Said = Literal["done", "not_done", "run_again"]

_RESOLUTIONS: dict[Said, tool_call_service_pb2.Resolution] = {
    "done": tool_call_service_pb2.RESOLUTION_DONE,
    "not_done": tool_call_service_pb2.RESOLUTION_NOT_DONE,
    "run_again": tool_call_service_pb2.RESOLUTION_RUN_AGAIN,
}


class Effect(Reply):
    """A call, what was sent, and where it stands."""

    id: str
    tool: str
    arguments: str = Field(description="JSON, as it was sent.")
    principal: str = Field(description="For whom it was called.")
    turn: str
    status: str
    reason: str
    content: list[Any] = Field(description="The result's MCP content blocks.")
    generation: int = Field(description="Raised when somebody says what became of it.")
    resolved_by: str
    created: Time
    dispatched: Time | None
    finished: Time | None


class EffectPage(Reply):
    """A page of calls of unknown outcome, newest first."""

    effects: list[Effect]
    next_page_token: str


class Resolution(Request):
    """What a person found out."""

    generation: Annotated[int, Field(ge=1, lt=2**31, description="As it was looked at.")]
    resolution: Said
    text: Annotated[Text, Field(max_length=100_000)] = Field(
        default="", description="What was found, for the record."
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400, description="For `run_again`.")] = 60


class EffectRoutes:
    """`/api/v1/effects`."""

    def __init__(self, effects: EffectServiceStub) -> None:
        self._effects = effects

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        for path, endpoint, method, model, responses in (
            ("/api/v1/effects", self.list_effects, "GET", EffectPage, problems()),
            ("/api/v1/effects/{effect}:resolve", self.resolve_effect, "POST", Effect, _CHANGES),
            ("/api/v1/effects/{effect}", self.get_effect, "GET", Effect, problems(404)),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        return router

    async def list_effects(self, call: CurrentCall, page: Page) -> Response:
        """Lists the calls whose outcome nobody knows: to admins all, to others their own."""
        request = pb.ListUnknownEffectsRequest(**page)
        response = await call.read(self._effects.ListUnknownEffects, request)
        shown = [_effect(each) for each in response.effects]
        page = {"effects": shown, "next_page_token": response.next_page_token}
        return raw_reply(orjson.dumps(page))

    async def get_effect(self, call: CurrentCall, effect: EffectId) -> Response:
        """Returns a call as it stands, with what was sent."""
        response = await call.read(self._effects.GetEffect, pb.GetEffectRequest(effect=effect))
        return raw_reply(orjson.dumps(_effect(response.effect)))

    async def resolve_effect(
        self, call: CurrentCall, effect: EffectId, body: Resolution
    ) -> Response:
        """Says what became of a call of unknown outcome, or has it run again."""
        request = pb.ResolveEffectRequest(
            effect=effect,
            generation=body.generation,
            resolution=_RESOLUTIONS[body.resolution],
            text=body.text,
            timeout=timedelta(seconds=body.timeout_seconds),
        )
        # Whoever says the same again is told the same.
        response = await call.read(self._effects.ResolveEffect, request)
        return raw_reply(orjson.dumps(_effect(response.effect)))


_CHANGES = problems(404, 409, 412, 413, 415)


def _effect(effect: pb.Effect) -> dict[str, Any]:
    call = effect.call
    return {
        "id": call.effect,
        "tool": effect.tool,
        "arguments": effect.arguments,
        "principal": effect.principal,
        "turn": effect.turn,
        "status": tool_pb2.CallStatus.Name(call.status).removeprefix("CALL_STATUS_"),
        "reason": call.reason,
        "content": embed_array(call.result),
        "generation": call.generation,
        "resolved_by": call.resolved_by,
        "created": rfc3339(effect.create_time),
        "dispatched": time_of(effect, "dispatch_time"),
        "finished": time_of(effect, "finish_time"),
    }
