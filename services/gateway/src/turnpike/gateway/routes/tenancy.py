"""Tenants, API keys and bans."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import principal_pb2
from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as pb
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.replies import problems, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import (
    Instant,
    PageSize,
    PageToken,
    Reply,
    Request,
    Text,
    Time,
)

Title = Annotated[Text, Field(min_length=1, max_length=200)]
Role = Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"]

_NAMES = {"expire_time": "expires"}
_ROLE_NAMES = {
    value: name.removeprefix("ROLE_") for name, value in principal_pb2.Role.items() if value
}


class NewKey(Request):
    """An API key to create, with a principal of its own."""

    name: Title
    role: Role
    expires: Instant | None = None


class NewBan(Request):
    """A principal to keep out."""

    principal: Annotated[Text, Field(min_length=1, max_length=64)]
    note: Annotated[Text, Field(max_length=1000)] = ""
    expires: Instant | None = None


class NewTenant(Request):
    """A tenant to create."""

    name: Title
    slots: Annotated[int, Field(ge=0, le=100_000, description="0 takes the default, 64.")] = 0


class Principal(Reply):
    """A person or a program that acts in a tenant."""

    id: str
    tenant: str
    name: str
    role: str


class Key(Reply):
    """The record of an API key."""

    id: str
    name: str
    role: str
    principal: Principal
    created: Time
    expires: Time | None
    revoked: Time | None


class CreatedKey(Key):
    """The record of an API key, and the key, which is never shown again."""

    key: str


class KeyPage(Reply):
    """A page of keys, newest first."""

    keys: list[Key]
    next_page_token: str


class Ban(Reply):
    """Keeps a principal out of its tenant."""

    id: str
    principal: str
    note: str
    created: Time
    expires: Time | None


class BanPage(Reply):
    """A page of bans, newest first."""

    bans: list[Ban]
    next_page_token: str


class Tenant(Reply):
    """One customer."""

    id: str
    name: str
    slots: int
    created: Time


class CreatedTenant(Reply):
    """A tenant, and the key of its first admin, which is never shown again."""

    tenant: Tenant
    key: str


class TenantPage(Reply):
    """A page of tenants, newest first."""

    tenants: list[Tenant]
    next_page_token: str


class TenancyRoutes:
    """`/api/v1/keys`, `/api/v1/bans` and `/api/v1/tenants`."""

    def __init__(self, tenancy: TenancyServiceStub) -> None:
        self._tenancy = tenancy

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        for path, page, new, listing, creating, refusals in (
            ("/api/v1/keys", KeyPage, CreatedKey, self.list_keys, self.create_key, ()),
            ("/api/v1/bans", BanPage, Ban, self.list_bans, self.create_ban, (404,)),
            (
                "/api/v1/tenants",
                TenantPage,
                CreatedTenant,
                self.list_tenants,
                self.create_tenant,
                (409,),
            ),
        ):
            router.add_api_route(
                path, listing, methods=["GET"], response_model=page, responses=problems()
            )
            router.add_api_route(
                path,
                creating,
                methods=["POST"],
                status_code=201,
                response_model=new,
                responses=problems(413, 415, *refusals),
            )
        for path, deleting in (
            ("/api/v1/keys/{id:name}", self.revoke_key),
            ("/api/v1/bans/{id:name}", self.delete_ban),
        ):
            router.add_api_route(
                path,
                deleting,
                methods=["DELETE"],
                status_code=204,
                responses=problems(404, 413, 415),
            )
        return router

    async def list_keys(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists API keys, newest first, revoked ones included."""
        request = pb.ListApiKeysRequest(page_size=page_size, page_token=page_token)
        response = await call.read(self._tenancy.ListApiKeys, request)
        return reply(
            KeyPage(
                keys=[Key(**_key(each)) for each in response.api_keys],
                next_page_token=response.next_page_token,
            )
        )

    async def create_key(self, call: CurrentCall, body: NewKey) -> Response:
        """Creates an API key; the reply is the only time that it is shown."""
        request = pb.CreateApiKeyRequest(
            name=body.name,
            role=f"ROLE_{body.role}",
            expire_time=_with_zone(body.expires),
        )
        response = await call.change(self._tenancy.CreateApiKey, request, _NAMES)
        return reply(CreatedKey(**_key(response.api_key), key=response.secret), 201, _UNSTORED)

    async def revoke_key(self, call: CurrentCall, id: str) -> Response:
        """Revokes an API key: within a second everywhere."""
        await call.read(self._tenancy.RevokeApiKey, pb.RevokeApiKeyRequest(id=id))
        return Response(status_code=204)

    async def list_bans(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists bans, newest first, ended ones included."""
        request = pb.ListBansRequest(page_size=page_size, page_token=page_token)
        response = await call.read(self._tenancy.ListBans, request)
        return reply(
            BanPage(
                bans=[_ban(each) for each in response.bans],
                next_page_token=response.next_page_token,
            )
        )

    async def create_ban(self, call: CurrentCall, body: NewBan) -> Response:
        """Bans a principal, in place of the ban that it may have."""
        request = pb.CreateBanRequest(
            principal=body.principal, note=body.note, expire_time=_with_zone(body.expires)
        )
        response = await call.read(self._tenancy.CreateBan, request, _NAMES)
        return reply(_ban(response.ban), 201)

    async def delete_ban(self, call: CurrentCall, id: str) -> Response:
        """Lifts a ban."""
        await call.change(self._tenancy.DeleteBan, pb.DeleteBanRequest(id=id))
        return Response(status_code=204)

    async def list_tenants(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists tenants, newest first."""
        request = pb.ListTenantsRequest(page_size=page_size, page_token=page_token)
        response = await call.read(self._tenancy.ListTenants, request)
        return reply(
            TenantPage(
                tenants=[_tenant(each) for each in response.tenants],
                next_page_token=response.next_page_token,
            )
        )

    async def create_tenant(self, call: CurrentCall, body: NewTenant) -> Response:
        """Creates a tenant with a first key; the reply is the only time that it is shown."""
        request = pb.CreateTenantRequest(name=body.name, slots=body.slots)
        response = await call.change(self._tenancy.CreateTenant, request)
        made = CreatedTenant(tenant=_tenant(response.tenant), key=response.secret)
        return reply(made, 201, _UNSTORED)


_UNSTORED = {"cache-control": "no-store"}


def _with_zone(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time and not time.tzinfo else time


def _key(key: principal_pb2.ApiKey) -> dict[str, Any]:
    principal = key.principal
    role = _ROLE_NAMES.get(principal.role, "")
    return {
        "id": key.id,
        "name": key.name,
        "role": role,
        "principal": Principal(
            id=principal.id, tenant=principal.tenant, name=principal.name, role=role
        ),
        "created": rfc3339(key.create_time),
        "expires": time_of(key, "expire_time"),
        "revoked": time_of(key, "revoke_time"),
    }


def _ban(ban: principal_pb2.Ban) -> Ban:
    return Ban(
        id=ban.id,
        principal=ban.principal,
        note=ban.note,
        created=rfc3339(ban.create_time),
        expires=time_of(ban, "expire_time"),
    )


def _tenant(tenant: principal_pb2.Tenant) -> Tenant:
    return Tenant(
        id=tenant.id, name=tenant.name, slots=tenant.slots, created=rfc3339(tenant.create_time)
    )
