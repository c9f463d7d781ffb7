"""Models on the wire."""

from turnpike.agent_runtime.models.prompt import Prices
from turnpike.agent_runtime.models.scopes import TENANT
from turnpike.agent_runtime.models.store import POOL, Member, ModelConfig
from turnpike.api.agent_runtime.v1 import model_service_pb2 as pb


def scope_name(scope: "pb.Scope.ValueType") -> str:
    """Returns a scope's name; empty when it is not said."""
    return pb.Scope.Name(scope).removeprefix("SCOPE_") if scope else ""


def config_from_proto(model: pb.Model) -> ModelConfig:
    """Returns the model in a request, without its credential."""
    prices, limits = model.prices, model.limits
    return ModelConfig(
        name=model.name,
        scope=scope_name(model.scope) or TENANT,
        provider=model.provider or (POOL if model.members else "openai"),
        model=model.model,
        base_url=model.base_url,
        sealed_api_key="",
        role=model.role or "chat",
        prices=Prices(
            input=prices.input,
            output=prices.output,
            cached=prices.cached,
            cache_write=prices.cache_write,
        )
        if model.HasField("prices")
        else None,
        context_window=limits.context_window,
        max_output=limits.max_output,
        capabilities=tuple(sorted(model.capabilities)),
        options=tuple(sorted(model.options.items())),
        quota_pool=model.quota_pool,
        members=tuple(Member(model=m.model, weight=m.weight or 1) for m in model.members),
    )


def config_to_proto(config: ModelConfig) -> pb.Model:
    """Returns a model for a response; its credential stays here."""
    prices = config.prices
    limits = pb.Limits(context_window=config.context_window, max_output=config.max_output)
    return pb.Model(
        name=config.name,
        scope=f"SCOPE_{config.scope}",
        provider=config.provider,
        model=config.model,
        base_url=config.base_url,
        has_api_key=bool(config.sealed_api_key),
        role=config.role,
        prices=pb.Prices(
            input=prices.input,
            output=prices.output,
            cached=prices.cached,
            cache_write=prices.cache_write,
        )
        if prices
        else None,
        limits=limits if config.context_window or config.max_output else None,
        capabilities=config.capabilities,
        options=dict(config.options),
        quota_pool=config.quota_pool,
        members=[pb.PoolMember(model=m.model, weight=m.weight) for m in config.members],
        version=config.version,
        etag=config.etag,
        create_time=config.created,
        update_time=config.updated,
    )
