"""Models: how language models are reached."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from turnpike.api.agent_runtime.v1 import model_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.replies import changed, created, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import (
    IfMatch,
    Name,
    PageSize,
    PageToken,
    Reply,
    Request,
    Text,
    Time,
    ValidateOnly,
    check_name,
)

_NAMES = {"model.": ""}

Price = Annotated[int, Field(ge=0, le=10**18)]


class Prices(Request):
    """Millionths of a US dollar for a million tokens."""

    input: Price = 0
    output: Price = 0
    cached: Price = 0


class ModelSpec(Request):
    """How a language model is reached."""

    provider: Annotated[str, StringConstraints(pattern=r"^([a-z0-9_][a-z0-9_.-]{0,62})?$")] = ""
    model: Annotated[Text, Field(min_length=1, max_length=500)]
    base_url: Annotated[Text, Field(max_length=2000)] = ""
    api_key: Annotated[
        Text | None, Field(max_length=8192, description="Left out, the stored one stays.")
    ] = None
    role: Literal["", "chat"] = ""
    prices: Prices | None = None


class NewModel(ModelSpec):
    """A model to create."""

    name: Name


class ChangedModel(ModelSpec):
    """A model as it shall be."""

    name: Name | None = None


class PricesReply(Reply):
    """Millionths of a US dollar for a million tokens."""

    input: int
    output: int
    cached: int


class Model(Reply):
    """How a language model is reached; its key is never shown."""

    name: str
    provider: str
    model: str
    base_url: str
    has_api_key: bool
    role: str
    prices: PricesReply | None
    etag: str
    created: Time
    updated: Time


class ModelPage(Reply):
    """A page of models, by name."""

    models: list[Model]
    next_page_token: str


class ModelRoutes:
    """`/api/v1/models`."""

    def __init__(self, models: ModelServiceStub) -> None:
        self._models = models

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Model,
            page=ModelPage,
            list_page=self.list_models,
            create=self.create_model,
            get=self.get_model,
            put=self.put_model,
            delete=self.delete_model,
        ).add_to(router, "/api/v1/models")
        return router

    async def list_models(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists models by name."""
        request = pb.ListModelsRequest(page_size=page_size, page_token=page_token)
        response = await call.read(self._models.ListModels, request)
        return reply(
            ModelPage(
                models=[_model(each) for each in response.models],
                next_page_token=response.next_page_token,
            )
        )

    async def create_model(
        self, call: CurrentCall, body: NewModel, validate_only: ValidateOnly = False
    ) -> Response:
        """Creates a model."""
        request = pb.CreateModelRequest(
            model=_message(body.name, body), validate_only=validate_only
        )
        response = await call.change(self._models.CreateModel, request, _NAMES)
        made = _model(response.model)
        location = f"/api/v1/models/{made.name}"
        return created(made, made.etag, location, validate_only=validate_only)

    async def get_model(self, call: CurrentCall, name: str) -> Response:
        """Returns a model without its key."""
        response = await call.read(self._models.GetModel, pb.GetModelRequest(name=name))
        model = _model(response.model)
        return reply(model, headers={"etag": f'"{model.etag}"'})

    async def put_model(
        self,
        call: CurrentCall,
        name: str,
        body: ChangedModel,
        if_match_header: IfMatch = None,
        validate_only: ValidateOnly = False,
    ) -> Response:
        """Makes a model what the body says."""
        check_name(body.name, name)
        request = pb.UpdateModelRequest(
            model=_message(name, body),
            etag=if_match(if_match_header),
            allow_missing=if_match_header is None,
            validate_only=validate_only,
        )
        response = await call.read(self._models.UpdateModel, request, _NAMES)
        model = _model(response.model)
        return changed(model, model.etag, response.change, validate_only=validate_only)

    async def delete_model(
        self, call: CurrentCall, name: str, if_match_header: IfMatch = None
    ) -> Response:
        """Deletes a model, unless an agent's active version names it."""
        request = pb.DeleteModelRequest(name=name, etag=if_match(if_match_header))
        await call.change(self._models.DeleteModel, request)
        return Response(status_code=204)


def _message(name: str, spec: ModelSpec) -> pb.Model:
    prices = spec.prices
    return pb.Model(
        name=name,
        provider=spec.provider,
        model=spec.model,
        base_url=spec.base_url,
        api_key=spec.api_key,
        role=spec.role,
        prices=None
        if prices is None
        else pb.Prices(input=prices.input, output=prices.output, cached=prices.cached),
    )


def _model(model: pb.Model) -> Model:
    prices = model.prices
    return Model(
        name=model.name,
        provider=model.provider,
        model=model.model,
        base_url=model.base_url,
        has_api_key=model.has_api_key,
        role=model.role,
        prices=PricesReply(input=prices.input, output=prices.output, cached=prices.cached)
        if model.HasField("prices")
        else None,
        etag=model.etag,
        created=rfc3339(model.create_time),
        updated=rfc3339(model.update_time),
    )
