"""Making models, and reading what became of them."""

from typing import Any

from tests.agent_runtime.serving import Tenant
from turnpike.api.agent_runtime.v1 import model_service_pb2 as pb

PERSON = pb.SCOPE_PERSON
PLATFORM = pb.SCOPE_PLATFORM
TENANT = pb.SCOPE_TENANT


def model(name: str = "model", **fields: Any) -> pb.Model:
    """A model's configuration, of the provider `openai` unless the fields say otherwise."""
    values: dict[str, Any] = {"provider": "openai", "model": "m", **fields}
    return pb.Model(name=name, **values)


def pool(name: str, *members: str, **weights: int) -> pb.Model:
    """A pool's configuration: members of weight 1, and those that have another."""
    chosen = [pb.PoolMember(model=member) for member in members]
    chosen += [pb.PoolMember(model=member, weight=weight) for member, weight in weights.items()]
    return pb.Model(name=name, members=chosen)


async def create(tenant: Tenant, wanted: pb.Model, metadata: Any = None) -> pb.Model:
    """Creates a model."""
    request = pb.CreateModelRequest(model=wanted)
    made = await tenant.runtime.models.CreateModel(request, metadata=metadata or tenant.admin)
    return made.model


async def change(tenant: Tenant, wanted: pb.Model, metadata: Any = None) -> pb.Model:
    """Makes a model what is wanted."""
    request = pb.UpdateModelRequest(model=wanted)
    made = await tenant.runtime.models.UpdateModel(request, metadata=metadata or tenant.admin)
    return made.model


async def get(
    tenant: Tenant, name: str, metadata: Any = None, scope: "pb.Scope | str | None" = None
) -> pb.Model:
    """Returns a model, the nearest one unless a scope is named."""
    request = pb.GetModelRequest(name=name, scope=scope)
    found = await tenant.runtime.models.GetModel(request, metadata=metadata or tenant.admin)
    return found.model


async def delete(
    tenant: Tenant, name: str, metadata: Any = None, scope: "pb.Scope | str | None" = None
) -> None:
    """Deletes a model."""
    request = pb.DeleteModelRequest(name=name, scope=scope)
    await tenant.runtime.models.DeleteModel(request, metadata=metadata or tenant.admin)


async def listed(tenant: Tenant, metadata: Any = None, size: int = 50) -> list[pb.Model]:
    """Returns all models that somebody sees, page by page."""
    found: list[pb.Model] = []
    token = ""
    while True:
        request = pb.ListModelsRequest(page_size=size, page_token=token)
        page = await tenant.runtime.models.ListModels(request, metadata=metadata or tenant.admin)
        found.extend(page.models)
        token = page.next_page_token
        if not token:
            return found


async def probes(tenant: Tenant, name: str, metadata: Any = None) -> list[pb.Probe]:
    """Asks a model for a word."""
    request = pb.TestModelRequest(name=name)
    said = await tenant.runtime.models.TestModel(request, metadata=metadata or tenant.admin)
    return list(said.probes)
