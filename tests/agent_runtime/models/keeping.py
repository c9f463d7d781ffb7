"""Keys of one's own, as tests have them kept."""

from typing import Any

from tests.agent_runtime.serving import Tenant
from turnpike.api.agent_runtime.v1 import provider_key_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2 import SCOPE_PERSON, SCOPE_TENANT

PERSON, TENANT = SCOPE_PERSON, SCOPE_TENANT


def key(name: str = "key", secret: str | None = "sk-own", **fields: Any) -> pb.ProviderKey:
    """A key for OpenAI's wire, unless the fields say otherwise."""
    values: dict[str, Any] = {"provider": "openai", **fields}
    return pb.ProviderKey(name=name, api_key=secret, **values)


async def put_key(
    tenant: Tenant, wanted: pb.ProviderKey, metadata: Any = None, **others: Any
) -> pb.UpdateProviderKeyResponse:
    """Makes a key what is wanted."""
    values: dict[str, Any] = {"allow_missing": True, **others}
    request = pb.UpdateProviderKeyRequest(provider_key=wanted, **values)
    stub = tenant.runtime.provider_keys
    return await stub.UpdateProviderKey(request, metadata=metadata or tenant.admin)


async def get_key(
    tenant: Tenant, name: str = "key", metadata: Any = None, scope: Any = TENANT
) -> pb.ProviderKey:
    """Returns a key."""
    request = pb.GetProviderKeyRequest(name=name, scope=scope)
    stub = tenant.runtime.provider_keys
    return (await stub.GetProviderKey(request, metadata=metadata or tenant.admin)).provider_key


async def delete_key(
    tenant: Tenant, name: str = "key", metadata: Any = None, scope: Any = TENANT, etag: str = ""
) -> None:
    """Deletes a key."""
    request = pb.DeleteProviderKeyRequest(name=name, scope=scope, etag=etag)
    stub = tenant.runtime.provider_keys
    await stub.DeleteProviderKey(request, metadata=metadata or tenant.admin)


async def keys_of(tenant: Tenant, metadata: Any = None, size: int = 50) -> list[pb.ProviderKey]:
    """Returns all keys that somebody sees, page by page."""
    found: list[pb.ProviderKey] = []
    token = ""
    while True:
        request = pb.ListProviderKeysRequest(page_size=size, page_token=token)
        stub = tenant.runtime.provider_keys
        page = await stub.ListProviderKeys(request, metadata=metadata or tenant.admin)
        found.extend(page.provider_keys)
        token = page.next_page_token
        if not token:
            return found


async def set_mode(
    tenant: Tenant, mode: Any, metadata: Any = None, scope: Any = TENANT, **others: Any
) -> pb.UpdateKeyModeResponse:
    """Says whether keys of one's own must be used."""
    request = pb.UpdateKeyModeRequest(mode=mode, scope=scope, **others)
    stub = tenant.runtime.provider_keys
    return await stub.UpdateKeyMode(request, metadata=metadata or tenant.admin)


async def mode_of(tenant: Tenant, metadata: Any = None, scope: Any = TENANT) -> Any:
    """Returns what was said of it."""
    request = pb.GetKeyModeRequest(scope=scope)
    stub = tenant.runtime.provider_keys
    return await stub.GetKeyMode(request, metadata=metadata or tenant.admin)
