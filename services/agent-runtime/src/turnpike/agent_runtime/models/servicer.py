"""Serves turnpike.api.agent_runtime.v1.ModelService."""

from datetime import timedelta
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from turnpike.agent_runtime.callers import Person, person_of
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.models.catalogue import ModelCatalogue, Wish
from turnpike.agent_runtime.models.configs import Wanted
from turnpike.agent_runtime.models.conversion import (
    config_from_proto,
    config_to_proto,
    scope_name,
)
from turnpike.agent_runtime.models.probing import Probe, Prober
from turnpike.agent_runtime.models.scopes import PERSON, PLATFORM, TENANT, Place
from turnpike.agent_runtime.models.store import rank_of
from turnpike.api.agent_runtime.v1 import model_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.paging import cursor_of, number, page_size, page_token, text
from turnpike.rpc.served import Context


class ModelServicer(ModelServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.ModelService."""

    def __init__(
        self, models: ModelCatalogue, prober: Prober, *, platform_tenant: UUID | None
    ) -> None:
        self._models = models
        self._prober = prober
        self._platform_tenant = platform_tenant

    async def CreateModel(
        self, request: pb.CreateModelRequest, context: Context
    ) -> pb.CreateModelResponse:
        wish = self._wish(context, request.model, request.validate_only)
        return pb.CreateModelResponse(model=config_to_proto(await self._models.create(wish)))

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        place = _place(person_of(context), scope_name(request.scope))
        config = await self._models.get(place, request.name)
        return pb.GetModelResponse(model=config_to_proto(config))

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        size = page_size(request.page_size)
        cursor = cursor_of(request.page_token, text, number)
        after = (cursor[0], cursor[1]) if cursor else ("", 0)
        place = _place(person_of(context), "")
        configs = await self._models.page(place, after=after, limit=size + 1)
        more = len(configs) > size
        last = configs[size - 1] if more else None
        return pb.ListModelsResponse(
            models=[config_to_proto(config) for config in configs[:size]],
            next_page_token=page_token(last.name, rank_of(last)) if last else "",
        )

    async def UpdateModel(
        self, request: pb.UpdateModelRequest, context: Context
    ) -> pb.UpdateModelResponse:
        config, change = await self._models.update(
            self._wish(context, request.model, request.validate_only),
            etag=request.etag,
            allow_missing=request.allow_missing,
        )
        return pb.UpdateModelResponse(
            model=config_to_proto(config),
            change=f"CHANGE_{change}",
        )

    async def DeleteModel(
        self, request: pb.DeleteModelRequest, context: Context
    ) -> pb.DeleteModelResponse:
        place = self._changed_place(context, scope_name(request.scope))
        await self._models.delete(place, request.name, etag=request.etag)
        return pb.DeleteModelResponse()

    async def TestModel(
        self, request: pb.TestModelRequest, context: Context
    ) -> pb.TestModelResponse:
        person = person_of(context)
        config = await self._models.get(_place(person, ""), request.name)
        if config.scope != PERSON:
            person_of(context, least="admin")
        probes = await self._prober.probe(
            Wanted(tenant=person.tenant, principal=person.principal, name=request.name, role="")
        )
        if probes is None:
            raise NotFoundError("model", request.name)
        return pb.TestModelResponse(probes=[_probe_to_proto(probe) for probe in probes])

    def _wish(self, context: Context, model: pb.Model, validate_only: bool) -> Wish:
        config = config_from_proto(model)
        return Wish(
            place=self._changed_place(context, config.scope),
            config=config,
            api_key=model.api_key if model.HasField("api_key") else None,
            validate_only=validate_only,
        )

    def _changed_place(self, context: Context, scope: str) -> Place:
        """Returns where the caller may change something.

        Raises:
            ForbiddenError: They may not.
        """
        person = person_of(context, least="member" if scope == PERSON else "admin")
        if scope == PLATFORM and person.tenant != self._platform_tenant:
            raise ForbiddenError("this is for the tenant that operates the platform alone")
        return _place(person, scope or TENANT)


def _place(person: Person, scope: str) -> Place:
    return Place(person.tenant, person.principal, scope)


def _probe_to_proto(probe: Probe) -> pb.Probe:
    return pb.Probe(
        model=probe.model,
        reason=probe.reason,
        message=probe.message,
        first_event=_duration(probe.first_event) if probe.first_event is not None else None,
        own_key=probe.own_key,
    )


def _duration(of: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(of)
    return duration
