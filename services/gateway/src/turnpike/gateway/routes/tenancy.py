"""Tenants and API keys."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import principal_pb2
from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as pb
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.principals import (
    ROLE_NAMES,
    Principal,
    Role,
    Title,
    principal_reply,
)
from turnpike.gateway.routes.replies import problems, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Instant, Reply, Request, Text, Time, in_utc

Scope = Literal["TURNS", "READ", "ADMIN", "USAGE"]

_NAMES = {"expire_time": "expires"}
_SCOPE_NAMES = {
    value: name.removeprefix("SCOPE_") for name, value in principal_pb2.Scope.items() if value
}


class NewKey(Request):
    """An API key to create: a principal's, or with a service account of its own."""

    name: Title
    role: Role | None = Field(default=None, description="Of the key's own service account.")
    principal: Annotated[Text, Field(max_length=64)] = Field(
        default="", description="Whose key it is, where it is not of its own."
    )
    scopes: Annotated[list[Scope], Field(max_length=4)] = Field(
        default=[], description="What it opens of what the role allows; none means all of it."
    )
    expires: Instant | None = None


class Rotation(Request):
    """How a key changes its secret."""

    overlap_seconds: Annotated[
        int, Field(ge=0, le=2_592_000, description="How long the old secret works yet.")
    ] = 86_400
    expires: Instant | None = Field(default=None, description="When the key ends from now on.")


class NewTenant(Request):
    """A tenant to create."""

    name: Title
    slots: Annotated[int, Field(ge=0, le=100_000, description="0 takes the default, 64.")] = 0


class Key(Reply):
    """The record of an API key."""

    id: str
    name: str
    role: str
    principal: Principal
    created: Time
    expires: Time | None
    revoked: Time | None
    scopes: list[str]
    prefix: str = Field(description="The first characters of its newest secret.")
    last_used: Time | None = Field(description="To the minute.")
    rotated: Time | None


class CreatedKey(Key):
    """The record of an API key, and the key, which is never shown again."""

    key: str


class KeyPage(Reply):
    """A page of keys, newest first."""

    keys: list[Key]
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
    """`/api/v1/keys` and `/api/v1/tenants`."""

    def __init__(self, tenancy: TenancyServiceStub) -> None:
        self._tenancy = tenancy

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        for path, page, new, listing, creating, refusals in (
            ("/api/v1/keys", KeyPage, CreatedKey, self.list_keys, self.create_key, (404,)),
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
        router.add_api_route(
            "/api/v1/keys/{id:name}",
            self.revoke_key,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 413, 415),
        )
        router.add_api_route(
            "/api/v1/keys/{id:name}:rotate",
            self.rotate_key,
            methods=["POST"],
            response_model=CreatedKey,
            responses=problems(404, 409, 413, 415),
        )
        return router

    async def list_keys(self, call: CurrentCall, page: Page) -> Response:
        """Lists API keys, newest first, revoked ones included."""
        request = pb.ListApiKeysRequest(**page)
        response = await call.read(self._tenancy.ListApiKeys, request)
        keys = [Key(**_key(each)) for each in response.api_keys]
        return reply(KeyPage(keys=keys, next_page_token=response.next_page_token))

    async def create_key(self, call: CurrentCall, body: NewKey) -> Response:
        """Creates an API key; the reply is the only time that it is shown."""
        request = pb.CreateApiKeyRequest(
            name=body.name,
            role=f"ROLE_{body.role}" if body.role else None,
            principal=body.principal,
            scopes=[f"SCOPE_{scope}" for scope in body.scopes],
            expire_time=in_utc("expires", body.expires),
        )
        response = await call.change(self._tenancy.CreateApiKey, request, _NAMES)
        return reply(CreatedKey(**_key(response.api_key), key=response.secret), 201, _UNSTORED)

    async def rotate_key(self, call: CurrentCall, id: str, body: Rotation) -> Response:
        """Gives an API key a new secret, and shows it this once; the old one works yet."""
        request = pb.RotateApiKeyRequest(
            id=id,
            overlap=timedelta(seconds=body.overlap_seconds),
            expire_time=in_utc("expires", body.expires),
        )
        response = await call.change(self._tenancy.RotateApiKey, request, _NAMES)
        return reply(CreatedKey(**_key(response.api_key), key=response.secret), headers=_UNSTORED)

    async def revoke_key(self, call: CurrentCall, id: str) -> Response:
        """Revokes an API key: within a second everywhere."""
        await call.read(self._tenancy.RevokeApiKey, pb.RevokeApiKeyRequest(id=id))
        return Response(status_code=204)

    async def list_tenants(self, call: CurrentCall, page: Page) -> Response:
        """Lists tenants, newest first."""
        request = pb.ListTenantsRequest(**page)
        response = await call.read(self._tenancy.ListTenants, request)
        tenants = [_tenant(each) for each in response.tenants]
        return reply(TenantPage(tenants=tenants, next_page_token=response.next_page_token))

    async def create_tenant(self, call: CurrentCall, body: NewTenant) -> Response:
        """Creates a tenant with a first key; the reply is the only time that it is shown."""
        request = pb.CreateTenantRequest(name=body.name, slots=body.slots)
        response = await call.change(self._tenancy.CreateTenant, request)
        made = CreatedTenant(tenant=_tenant(response.tenant), key=response.secret)
        return reply(made, 201, _UNSTORED)


_UNSTORED = {"cache-control": "no-store"}


def _key(key: principal_pb2.ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": ROLE_NAMES.get(key.principal.role, ""),
        "principal": principal_reply(key.principal),
        "created": rfc3339(key.create_time),
        "expires": time_of(key, "expire_time"),
        "revoked": time_of(key, "revoke_time"),
        "scopes": [_SCOPE_NAMES.get(scope, "") for scope in key.scopes],
        "prefix": key.prefix,
        "last_used": time_of(key, "last_use_time"),
        "rotated": time_of(key, "rotate_time"),
    }


def _tenant(tenant: principal_pb2.Tenant) -> Tenant:
    return Tenant(
        id=tenant.id, name=tenant.name, slots=tenant.slots, created=rfc3339(tenant.create_time)
    )
