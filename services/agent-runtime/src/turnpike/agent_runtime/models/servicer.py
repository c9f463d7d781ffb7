"""Serves turnpike.api.agent_runtime.v1.ModelService."""

from turnpike.agent_runtime.callers import Person, person_of
from turnpike.agent_runtime.models.catalogue import ModelCatalogue, Wish
from turnpike.agent_runtime.models.prompt import Prices
from turnpike.agent_runtime.models.store import ModelConfig
from turnpike.api.agent_runtime.v1 import model_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceServicer
from turnpike.rpc.paging import cursor_of, page_size, page_token, text
from turnpike.rpc.served import Context


class ModelServicer(ModelServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.ModelService."""

    def __init__(self, models: ModelCatalogue) -> None:
        self._models = models

    async def CreateModel(
        self, request: pb.CreateModelRequest, context: Context
    ) -> pb.CreateModelResponse:
        wish = _wish(person_of(context, least="admin"), request.model, request.validate_only)
        return pb.CreateModelResponse(model=_model_to_proto(await self._models.create(wish)))

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        config = await self._models.get(person_of(context).tenant, request.name)
        return pb.GetModelResponse(model=_model_to_proto(config))

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, text)
        configs = await self._models.page(
            person_of(context).tenant, after=cursor[0] if cursor else "", limit=size + 1
        )
        return pb.ListModelsResponse(
            models=[_model_to_proto(config) for config in configs[:size]],
            next_page_token=page_token(configs[size - 1].name) if len(configs) > size else "",
        )

    async def UpdateModel(
        self, request: pb.UpdateModelRequest, context: Context
    ) -> pb.UpdateModelResponse:
        config, change = await self._models.update(
            _wish(person_of(context, least="admin"), request.model, request.validate_only),
            etag=request.etag,
            allow_missing=request.allow_missing,
        )
        return pb.UpdateModelResponse(
            model=_model_to_proto(config),
            change=f"CHANGE_{change}",
        )

    async def DeleteModel(
        self, request: pb.DeleteModelRequest, context: Context
    ) -> pb.DeleteModelResponse:
        tenant = person_of(context, least="admin").tenant
        await self._models.delete(tenant, request.name, etag=request.etag)
        return pb.DeleteModelResponse()


def _wish(person: Person, model: pb.Model, validate_only: bool) -> Wish:
    prices = model.prices
    return Wish(
        tenant=person.tenant,
        config=ModelConfig(
            name=model.name,
            provider=model.provider or "openai",
            model=model.model,
            base_url=model.base_url,
            sealed_api_key="",
            role=model.role or "chat",
            prices=Prices(input=prices.input, output=prices.output, cached=prices.cached)
            if model.HasField("prices")
            else None,
        ),
        api_key=model.api_key if model.HasField("api_key") else None,
        validate_only=validate_only,
    )


def _model_to_proto(config: ModelConfig) -> pb.Model:
    prices = config.prices
    return pb.Model(
        name=config.name,
        provider=config.provider,
        model=config.model,
        base_url=config.base_url,
        has_api_key=bool(config.sealed_api_key),
        role=config.role,
        prices=pb.Prices(input=prices.input, output=prices.output, cached=prices.cached)
        if prices
        else None,
        etag=config.etag,
        create_time=config.created,
        update_time=config.updated,
    )
