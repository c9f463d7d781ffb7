"""TenancyService: the wire's messages to gatekeeper's values, and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as pb
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceServicer
from turnpike.gatekeeper.messages import (
    api_key_message,
    ban_message,
    role_name,
    tenant_message,
    time_of,
)
from turnpike.gatekeeper.tenancy import Position, Tenancy
from turnpike.rpc.paging import cursor_of, page_size, page_token
from turnpike.rpc.served import Context, caller_of

_DEFAULT_SLOTS = 64


class TenancyServicer(TenancyServiceServicer):
    """Serves turnpike.api.gatekeeper.v1.TenancyService."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def CreateTenant(
        self, request: pb.CreateTenantRequest, context: Context
    ) -> pb.CreateTenantResponse:
        new = await self._tenancy.create_tenant(
            caller_of(context), request.name, request.slots or _DEFAULT_SLOTS
        )
        return pb.CreateTenantResponse(
            tenant=tenant_message(new.tenant), api_key=api_key_message(new.key), secret=new.secret
        )

    async def ListTenants(
        self, request: pb.ListTenantsRequest, context: Context
    ) -> pb.ListTenantsResponse:
        tenants = await self._tenancy.list_tenants(caller_of(context), *_page(request))
        shown, token = _shown(tenants, request)
        return pb.ListTenantsResponse(tenants=map(tenant_message, shown), next_page_token=token)

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        key, secret = await self._tenancy.create_api_key(
            caller_of(context),
            name=request.name,
            role=role_name(request.role),
            expires=time_of(request, "expire_time"),
        )
        return pb.CreateApiKeyResponse(api_key=api_key_message(key), secret=secret)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: Context
    ) -> pb.ListApiKeysResponse:
        keys = await self._tenancy.list_api_keys(caller_of(context), *_page(request))
        shown, token = _shown(keys, request)
        return pb.ListApiKeysResponse(api_keys=map(api_key_message, shown), next_page_token=token)

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, context: Context
    ) -> pb.RevokeApiKeyResponse:
        key = await self._tenancy.revoke_api_key(caller_of(context), request.id)
        return pb.RevokeApiKeyResponse(api_key=api_key_message(key))

    async def CreateBan(
        self, request: pb.CreateBanRequest, context: Context
    ) -> pb.CreateBanResponse:
        ban = await self._tenancy.create_ban(
            caller_of(context),
            principal=request.principal,
            note=request.note,
            expires=time_of(request, "expire_time"),
        )
        return pb.CreateBanResponse(ban=ban_message(ban))

    async def ListBans(self, request: pb.ListBansRequest, context: Context) -> pb.ListBansResponse:
        bans = await self._tenancy.list_bans(caller_of(context), *_page(request))
        shown, token = _shown(bans, request)
        return pb.ListBansResponse(bans=map(ban_message, shown), next_page_token=token)

    async def DeleteBan(
        self, request: pb.DeleteBanRequest, context: Context
    ) -> pb.DeleteBanResponse:
        await self._tenancy.delete_ban(caller_of(context), request.id)
        return pb.DeleteBanResponse()


class _PageRequest(Protocol):
    page_size: int
    page_token: str


class _Listed(Protocol):
    @property
    def created(self) -> datetime: ...
    @property
    def id(self) -> UUID: ...


_Item = TypeVar("_Item", bound=_Listed)


def _page(request: _PageRequest) -> tuple[Position | None, int]:
    # One more than is shown tells whether there is a next page.
    cursor = cursor_of(request.page_token, datetime.fromisoformat, UUID)
    return cursor, page_size(request.page_size) + 1


def _shown(found: Sequence[_Item], request: _PageRequest) -> tuple[Sequence[_Item], str]:
    size = page_size(request.page_size)
    if len(found) <= size:
        return found, ""
    return found[:size], page_token(found[size - 1].created, found[size - 1].id)
