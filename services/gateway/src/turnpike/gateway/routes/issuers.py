"""Issuers: whose tokens open a tenant to people."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import identity_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import principal_pb2
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.principals import ROLE_NAMES
from turnpike.gateway.routes.replies import changed, created, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text, Time, check_name

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
Claim = Annotated[Text, Field(max_length=200)]
Url = Annotated[Text, Field(max_length=2000)]

_NAMES = {"issuer.": ""}
_ROLES = {
    "ADMIN": principal_pb2.ROLE_ADMIN,
    "MEMBER": principal_pb2.ROLE_MEMBER,
    "VIEWER": principal_pb2.ROLE_VIEWER,
}


class Claims(Request):
    """Which claims say what: a name, or a path with dots."""

    subject: Claim = Field(default="", description="Who it is; `sub` where it is empty.")
    name: Claim = Field(default="", description="A name for people; `name`.")
    email: Claim = Field(default="", description="Counts where `email_verified` is true; `email`.")
    role: Claim = Field(default="", description="Mapped by `roles`; empty leaves roles alone.")
    tenant: Claim = Field(default="", description="For issuers of the first tenant.")


class IssuerSpec(Request):
    """An OpenID Connect provider, or whoever else signs JWTs."""

    issuer: Annotated[Url, Field(min_length=1, description="The `iss` of its tokens.")]
    audience: Annotated[
        Text, Field(min_length=1, max_length=500, description="The `aud` that they must have.")
    ]
    jwks_url: Url = Field(default="", description="Where its keys are; else by discovery.")
    algorithms: Annotated[list[Algorithm], Field(max_length=10)] = Field(
        default=[], description="Those that are accepted; none means RS256."
    )
    claims: Claims = Claims()
    roles: Annotated[
        dict[
            Annotated[Text, Field(min_length=1, max_length=200)],
            Literal["ADMIN", "MEMBER", "VIEWER"],
        ],
        Field(max_length=200),
    ] = Field(default={}, description="The role that a value of the role claim means.")


class NewIssuer(IssuerSpec):
    """An issuer to create."""

    name: Name


class ChangedIssuer(IssuerSpec):
    """An issuer as it shall be."""

    name: Name | None = None


class Issuer(Reply):
    """Whose tokens open the tenant to people."""

    name: str
    issuer: str
    audience: str
    jwks_url: str
    algorithms: list[str]
    claims: dict[str, str]
    roles: dict[str, str]
    etag: str
    created: Time
    updated: Time


class IssuerPage(Reply):
    """A page of issuers, by name."""

    issuers: list[Issuer]
    next_page_token: str


class IssuerRoutes:
    """`/api/v1/issuers`."""

    def __init__(self, identity: IdentityServiceStub) -> None:
        self._identity = identity

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Issuer,
            page=IssuerPage,
            list_page=self.list_issuers,
            create=self.create_issuer,
            get=self.get_issuer,
            put=self.put_issuer,
            delete=self.delete_issuer,
        ).add_to(router, "/api/v1/issuers")
        return router

    async def list_issuers(self, call: CurrentCall, page: Page) -> Response:
        """Lists issuers by name."""
        request = pb.ListIssuersRequest(**page)
        response = await call.read(self._identity.ListIssuers, request)
        issuers = [_issuer(each) for each in response.issuers]
        return reply(IssuerPage(issuers=issuers, next_page_token=response.next_page_token))

    async def create_issuer(
        self, call: CurrentCall, body: NewIssuer, validate_only: ValidateOnly = False
    ) -> Response:
        """Creates an issuer."""
        request = pb.CreateIssuerRequest(
            issuer=_message(body.name, body), validate_only=validate_only
        )
        response = await call.change(self._identity.CreateIssuer, request, _NAMES)
        return created(_issuer(response.issuer), "/api/v1/issuers", validate_only=validate_only)

    async def get_issuer(self, call: CurrentCall, name: str) -> Response:
        """Returns an issuer."""
        response = await call.read(self._identity.GetIssuer, pb.GetIssuerRequest(name=name))
        return tagged(_issuer(response.issuer))

    async def put_issuer(
        self, call: CurrentCall, name: str, body: ChangedIssuer, write: CurrentWrite
    ) -> Response:
        """Makes an issuer what the body says; the next token is judged by it."""
        check_name(body.name, name)
        request = pb.UpdateIssuerRequest(issuer=_message(name, body), **write.update)
        response = await call.read(self._identity.UpdateIssuer, request, _NAMES)
        return changed(_issuer(response.issuer), response.change, write)

    async def delete_issuer(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes an issuer; its principals stay."""
        request = pb.DeleteIssuerRequest(name=name, etag=if_match(tag))
        await call.change(self._identity.DeleteIssuer, request)
        return Response(status_code=204)


def _message(name: str, spec: IssuerSpec) -> principal_pb2.Issuer:
    return principal_pb2.Issuer(
        name=name,
        issuer=spec.issuer,
        audience=spec.audience,
        jwks_url=spec.jwks_url,
        algorithms=spec.algorithms,
        claims=principal_pb2.Issuer.ClaimMapping(**spec.claims.model_dump()),
        roles={value: _ROLES[role] for value, role in spec.roles.items()},
    )


def _issuer(issuer: principal_pb2.Issuer) -> Issuer:
    return Issuer(
        name=issuer.name,
        issuer=issuer.issuer,
        audience=issuer.audience,
        jwks_url=issuer.jwks_url,
        algorithms=list(issuer.algorithms),
        claims={field.name: str(value) for field, value in issuer.claims.ListFields()},
        roles={value: ROLE_NAMES.get(role, "") for value, role in issuer.roles.items()},
        etag=issuer.etag,
        created=rfc3339(issuer.create_time),
        updated=rfc3339(issuer.update_time),
    )
