"""TenancyService: the wire's messages to gatekeeper's values, and back."""

from datetime import timedelta

from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as pb
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceServicer
from turnpike.gatekeeper.messages import (
    api_key_message,
    ban_message,
    role_name,
    scope_names,
    tenant_message,
    time_of,
)
from turnpike.gatekeeper.pages import page_of, shown_of
from turnpike.gatekeeper.tenancy import BanRequest, KeyRequest, Tenancy
from turnpike.rpc.served import Context, caller_of

_DEFAULT_SLOTS = 64
_OVERLAP = timedelta(days=1)


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
        tenants = await self._tenancy.list_tenants(caller_of(context), *page_of(request))
        shown, token = shown_of(tenants, request)
        return pb.ListTenantsResponse(tenants=map(tenant_message, shown), next_page_token=token)

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        key, secret = await self._tenancy.create_api_key(
            caller_of(context),
            KeyRequest(
                name=request.name,
                role=role_name(request.role),
                principal=request.principal,
                expires=time_of(request, "expire_time"),
                scopes=scope_names(request.scopes),
            ),
        )
        return pb.CreateApiKeyResponse(api_key=api_key_message(key), secret=secret)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: Context
    ) -> pb.ListApiKeysResponse:
        keys = await self._tenancy.list_api_keys(caller_of(context), *page_of(request))
        shown, token = shown_of(keys, request)
        return pb.ListApiKeysResponse(api_keys=map(api_key_message, shown), next_page_token=token)

    async def RotateApiKey(
        self, request: pb.RotateApiKeyRequest, context: Context
    ) -> pb.RotateApiKeyResponse:
        overlap = request.overlap.ToTimedelta() if request.HasField("overlap") else _OVERLAP
        key, secret = await self._tenancy.rotate_api_key(
            caller_of(context), request.id, overlap, time_of(request, "expire_time")
        )
        return pb.RotateApiKeyResponse(api_key=api_key_message(key), secret=secret)

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, context: Context
    ) -> pb.RevokeApiKeyResponse:
        key = await self._tenancy.revoke_api_key(caller_of(context), request.id)
        return pb.RevokeApiKeyResponse(api_key=api_key_message(key))

    async def CreateBan(
        self, request: pb.CreateBanRequest, context: Context
    ) -> pb.CreateBanResponse:
        kind = request.WhichOneof("subject") or "principal"
        ban = await self._tenancy.create_ban(
            caller_of(context),
            BanRequest(
                kind=kind,
                value=getattr(request, kind),
                note=request.note,
                expires=time_of(request, "expire_time"),
                platform=request.platform,
            ),
        )
        return pb.CreateBanResponse(ban=ban_message(ban))

    async def ListBans(self, request: pb.ListBansRequest, context: Context) -> pb.ListBansResponse:
        bans = await self._tenancy.list_bans(
            caller_of(context), *page_of(request), platform=request.platform
        )
        shown, token = shown_of(bans, request)
        return pb.ListBansResponse(bans=map(ban_message, shown), next_page_token=token)

    async def DeleteBan(
        self, request: pb.DeleteBanRequest, context: Context
    ) -> pb.DeleteBanResponse:
        await self._tenancy.delete_ban(caller_of(context), request.id)
        return pb.DeleteBanResponse()
