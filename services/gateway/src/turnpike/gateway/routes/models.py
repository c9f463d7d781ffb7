"""Models: how language models are reached."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from turnpike.api.agent_runtime.v1 import model_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.replies import changed, created, problems, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text, Time, check_name

_NAMES = {"model.": ""}

Price = Annotated[int, Field(ge=0, le=10**18)]
Tokens = Annotated[int, Field(ge=0, le=100_000_000)]
Scope = Literal["PLATFORM", "TENANT", "PERSON"]
NamedScope = Annotated[Scope | None, Query(description="Whose; the nearest if it is left out.")]
OwnScope = Annotated[Scope, Query(description="Whose.")]
Capability = Literal["tools", "parallel_calls", "vision", "json_mode", "reasoning", "caching"]
Option = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{0,500}$")]


class Prices(Request):
    """Millionths of a US dollar for a million tokens."""

    input: Price = 0
    output: Price = 0
    cached: Price = 0
    cache_write: Price = 0


class Limits(Request):
    """How much a model takes; 0 is unknown."""

    context_window: Tokens = 0
    max_output: Tokens = 0


class PoolMember(Request):
    """One choice of a pool."""

    model: Name
    weight: Annotated[int, Field(ge=0, le=1000)] = 1


class ModelSpec(Request):
    """How a language model is reached."""

    provider: Annotated[str, StringConstraints(pattern=r"^([a-z0-9_][a-z0-9_.-]{0,62})?$")] = ""
    model: Annotated[Text, Field(max_length=500, description="Left out of a pool alone.")] = ""
    base_url: Annotated[Text, Field(max_length=2000)] = ""
    api_key: Annotated[
        Text | None, Field(max_length=8192, description="Left out, the stored one stays.")
    ] = None
    role: Literal["", "chat", "planner", "embedding"] = ""
    prices: Prices | None = None
    scope: Scope = "TENANT"
    limits: Limits | None = None
    capabilities: Annotated[list[Capability], Field(max_length=6)] = Field(default=[])
    options: dict[Literal["region", "api_version", "beta"], Option] = Field(default={})
    quota_pool: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$")] = ""
    members: Annotated[list[PoolMember], Field(max_length=100)] = Field(default=[])


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
    cache_write: int


class LimitsReply(Reply):
    """How much a model takes; 0 is unknown."""

    context_window: int
    max_output: int


class PoolMemberReply(Reply):
    """One choice of a pool."""

    model: str
    weight: int


class Probe(Reply):
    """What came of asking one model; `reason` is empty when it answered."""

    model: str
    reason: str
    message: str
    first_event_ms: int | None
    own_key: bool


class Probes(Reply):
    """What came of asking a model, or each of a pool's members."""

    probes: list[Probe]


class Model(Reply):
    """How a language model is reached; its key is never shown."""

    name: str
    provider: str
    model: str
    base_url: str
    has_api_key: bool
    role: str
    prices: PricesReply | None
    scope: str
    limits: LimitsReply | None
    capabilities: list[str]
    options: dict[str, str]
    quota_pool: str
    members: list[PoolMemberReply]
    version: int
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
        router.add_api_route(
            "/api/v1/models/{name:name}:test",
            self.test_model,
            methods=["POST"],
            response_model=Probes,
            responses=problems(404),
        )
        return router

    async def list_models(self, call: CurrentCall, page: Page) -> Response:
        """Lists models by name."""
        request = pb.ListModelsRequest(**page)
        response = await call.read(self._models.ListModels, request)
        models = [_model(each) for each in response.models]
        return reply(ModelPage(models=models, next_page_token=response.next_page_token))

    async def create_model(
        self, call: CurrentCall, body: NewModel, validate_only: ValidateOnly = False
    ) -> Response:
        """Creates a model."""
        request = pb.CreateModelRequest(
            model=_message(body.name, body), validate_only=validate_only
        )
        response = await call.change(self._models.CreateModel, request, _NAMES)
        return created(_model(response.model), "/api/v1/models", validate_only=validate_only)

    async def get_model(self, call: CurrentCall, name: str, scope: NamedScope = None) -> Response:
        """Returns a model without its key."""
        request = pb.GetModelRequest(name=name, scope=f"SCOPE_{scope}" if scope else None)
        response = await call.read(self._models.GetModel, request)
        return tagged(_model(response.model))

    async def put_model(
        self, call: CurrentCall, name: str, body: ChangedModel, write: CurrentWrite
    ) -> Response:
        """Makes a model what the body says."""
        check_name(body.name, name)
        request = pb.UpdateModelRequest(model=_message(name, body), **write.update)
        response = await call.read(self._models.UpdateModel, request, _NAMES)
        return changed(_model(response.model), response.change, write)

    async def delete_model(
        self, call: CurrentCall, name: str, tag: IfMatch = None, scope: OwnScope = "TENANT"
    ) -> Response:
        """Deletes a model, unless an agent's active version or a pool names it."""
        request = pb.DeleteModelRequest(name=name, etag=if_match(tag), scope=f"SCOPE_{scope}")
        await call.change(self._models.DeleteModel, request)
        return Response(status_code=204)

    async def test_model(self, call: CurrentCall, name: str) -> Response:
        """Asks a model, or each of a pool's members, for a word; the provider bills it."""
        response = await call.read(self._models.TestModel, pb.TestModelRequest(name=name))
        return reply(Probes(probes=[_probe(each) for each in response.probes]))


def _message(name: str, spec: ModelSpec) -> pb.Model:
    prices = spec.prices
    return pb.Model(
        name=name,
        provider=spec.provider,
        model=spec.model,
        base_url=spec.base_url,
        api_key=spec.api_key,
        role=spec.role,
        prices=None if prices is None else pb.Prices(**prices.model_dump()),
        scope=f"SCOPE_{spec.scope}",
        limits=None if spec.limits is None else pb.Limits(**spec.limits.model_dump()),
        capabilities=spec.capabilities,
        options={str(name): value for name, value in spec.options.items()},
        quota_pool=spec.quota_pool,
        members=[pb.PoolMember(model=m.model, weight=m.weight) for m in spec.members],
    )


def _probe(probe: pb.Probe) -> Probe:
    first = probe.first_event.ToMilliseconds() if probe.HasField("first_event") else None
    return Probe(
        model=probe.model,
        reason=probe.reason,
        message=probe.message,
        first_event_ms=first,
        own_key=probe.own_key,
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
        prices=PricesReply(
            input=prices.input,
            output=prices.output,
            cached=prices.cached,
            cache_write=prices.cache_write,
        )
        if model.HasField("prices")
        else None,
        scope=pb.Scope.Name(model.scope).removeprefix("SCOPE_"),
        limits=LimitsReply(
            context_window=model.limits.context_window, max_output=model.limits.max_output
        )
        if model.HasField("limits")
        else None,
        capabilities=list(model.capabilities),
        options=dict(model.options),
        quota_pool=model.quota_pool,
        members=[PoolMemberReply(model=m.model, weight=m.weight) for m in model.members],
        version=model.version,
        etag=model.etag,
        created=rfc3339(model.create_time),
        updated=rfc3339(model.update_time),
    )
