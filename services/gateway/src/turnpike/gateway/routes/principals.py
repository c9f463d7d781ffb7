"""Principals: the persons and service accounts that a tenant knows."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import identity_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import principal_pb2
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

Title = Annotated[Text, Field(min_length=1, max_length=200)]
Role = Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"]
Kind = Literal["PERSON", "SERVICE"]

ROLE_NAMES = {
    value: name.removeprefix("ROLE_") for name, value in principal_pb2.Role.items() if value
}
_KIND_NAMES = {
    value: name.removeprefix("PRINCIPAL_KIND_")
    for name, value in principal_pb2.PrincipalKind.items()
    if value
}


class NewPrincipal(Request):
    """A service account to create; persons come by their issuers."""

    name: Title
    role: Role


class ChangedPrincipal(Request):
    """What shall be different; what is left out stays."""

    name: Title | None = None
    role: Role | None = None


class Principal(Reply):
    """A person or a program that acts in a tenant."""

    id: str
    tenant: str
    name: str
    role: str
    kind: str
    email: str = Field(description="Verified by the issuer; empty when none is known.")
    issuer: str = Field(description="Who vouches for a person.")
    created: Time


class PrincipalPage(Reply):
    """A page of principals, newest first."""

    principals: list[Principal]
    next_page_token: str


class PrincipalRoutes:
    """`/api/v1/principals`."""

    def __init__(self, identity: IdentityServiceStub) -> None:
        self._identity = identity

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        every, one = "/api/v1/principals", "/api/v1/principals/{id:name}"
        router.add_api_route(
            every,
            self.list_principals,
            methods=["GET"],
            response_model=PrincipalPage,
            responses=problems(),
        )
        router.add_api_route(
            every,
            self.create_principal,
            methods=["POST"],
            status_code=201,
            response_model=Principal,
            responses=problems(409, 413, 415),
        )
        router.add_api_route(
            one,
            self.get_principal,
            methods=["GET"],
            response_model=Principal,
            responses=problems(404),
        )
        router.add_api_route(
            one,
            self.change_principal,
            methods=["PATCH"],
            response_model=Principal,
            responses=problems(404, 409, 413, 415),
        )
        router.add_api_route(
            one,
            self.remove_principal,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 409, 413, 415),
        )
        return router

    async def list_principals(
        self,
        call: CurrentCall,
        page: Page,
        kind: Annotated[Kind | None, Query(description="Only these.")] = None,
    ) -> Response:
        """Lists principals, newest first."""
        request = pb.ListPrincipalsRequest(kind=f"PRINCIPAL_KIND_{kind}" if kind else None, **page)
        response = await call.read(self._identity.ListPrincipals, request)
        principals = [principal_reply(each) for each in response.principals]
        return reply(PrincipalPage(principals=principals, next_page_token=response.next_page_token))

    async def create_principal(self, call: CurrentCall, body: NewPrincipal) -> Response:
        """Creates a service account; `POST /api/v1/keys` gives it keys."""
        request = pb.CreateServiceAccountRequest(name=body.name, role=f"ROLE_{body.role}")
        response = await call.change(self._identity.CreateServiceAccount, request)
        return reply(principal_reply(response.principal), 201)

    async def get_principal(self, call: CurrentCall, id: str) -> Response:
        """Returns a principal."""
        response = await call.read(self._identity.GetPrincipal, pb.GetPrincipalRequest(id=id))
        return reply(principal_reply(response.principal))

    async def change_principal(
        self, call: CurrentCall, id: str, body: ChangedPrincipal
    ) -> Response:
        """Changes a name or a role; a role holds everywhere within a second."""
        request = pb.UpdatePrincipalRequest(
            id=id, name=body.name or "", role=f"ROLE_{body.role}" if body.role else None
        )
        response = await call.read(self._identity.UpdatePrincipal, request)
        return reply(principal_reply(response.principal))

    async def remove_principal(self, call: CurrentCall, id: str) -> Response:
        """Removes a principal with its keys, for good."""
        await call.read(self._identity.RemovePrincipal, pb.RemovePrincipalRequest(id=id))
        return Response(status_code=204)


def principal_reply(principal: principal_pb2.Principal) -> Principal:
    """Returns a principal as callers see it."""
    return Principal(
        id=principal.id,
        tenant=principal.tenant,
        name=principal.name,
        role=ROLE_NAMES.get(principal.role, ""),
        kind=_KIND_NAMES.get(principal.kind, ""),
        email=principal.email,
        issuer=principal.issuer,
        created=rfc3339(principal.create_time),
    )
