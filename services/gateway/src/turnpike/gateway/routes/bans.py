"""Bans of principals, e-mail addresses, domains and API keys."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from turnpike.api.gatekeeper.v1 import principal_pb2
from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as pb
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.problems import FieldError, invalid
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Instant, Reply, Request, Text, Time, in_utc

_NAMES = {"expire_time": "expires"}
_SUBJECTS = ("principal", "email", "domain", "key")

Id = Annotated[Text, Field(min_length=1, max_length=64)]


class NewBan(Request):
    """Somebody to keep out: exactly one of `principal`, `email`, `domain` and `key`."""

    principal: Id | None = None
    email: Annotated[Text, Field(min_length=1, max_length=320)] | None = None
    domain: Annotated[Text, Field(min_length=1, max_length=253)] | None = Field(
        default=None, description="With every domain below it."
    )
    key: Id | None = Field(default=None, description="An API key's id.")
    note: Annotated[Text, Field(max_length=1000)] = ""
    expires: Instant | None = None
    platform: bool = Field(default=False, description="In every tenant.")


class Ban(Reply):
    """Keeps somebody out; one of `principal`, `email`, `domain` and `key` says whom."""

    id: str
    principal: str | None
    email: str | None
    domain: str | None
    key: str | None
    note: str
    platform: bool
    created: Time
    expires: Time | None


class BanPage(Reply):
    """A page of bans, newest first."""

    bans: list[Ban]
    next_page_token: str


class BanRoutes:
    """`/api/v1/bans`."""

    def __init__(self, tenancy: TenancyServiceStub) -> None:
        self._tenancy = tenancy

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/bans",
            self.list_bans,
            methods=["GET"],
            response_model=BanPage,
            responses=problems(),
        )
        router.add_api_route(
            "/api/v1/bans",
            self.create_ban,
            methods=["POST"],
            status_code=201,
            response_model=Ban,
            responses=problems(404, 413, 415),
        )
        router.add_api_route(
            "/api/v1/bans/{id:name}",
            self.delete_ban,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 413, 415),
        )
        return router

    async def list_bans(
        self,
        call: CurrentCall,
        page: Page,
        platform: Annotated[bool, Query(description="Those of every tenant.")] = False,
    ) -> Response:
        """Lists bans, newest first, ended ones included."""
        request = pb.ListBansRequest(**page, platform=platform)
        response = await call.read(self._tenancy.ListBans, request)
        bans = [_ban(each) for each in response.bans]
        return reply(BanPage(bans=bans, next_page_token=response.next_page_token))

    async def create_ban(self, call: CurrentCall, body: NewBan) -> Response:
        """Bans somebody, in place of the ban that they may have."""
        given = {name: value for name in _SUBJECTS if (value := getattr(body, name))}
        if len(given) != 1:
            fault = "only one of them can be named" if given else "one of them is needed"
            raise invalid([FieldError(name, fault) for name in given or _SUBJECTS])
        request = pb.CreateBanRequest(
            note=body.note,
            expire_time=in_utc("expires", body.expires),
            platform=body.platform,
            **given,
        )
        response = await call.read(self._tenancy.CreateBan, request, _NAMES)
        return reply(_ban(response.ban), 201)

    async def delete_ban(self, call: CurrentCall, id: str) -> Response:
        """Lifts a ban."""
        await call.change(self._tenancy.DeleteBan, pb.DeleteBanRequest(id=id))
        return Response(status_code=204)


def _ban(ban: principal_pb2.Ban) -> Ban:
    return Ban(
        id=ban.id,
        **{name: getattr(ban, name) or None for name in _SUBJECTS},
        note=ban.note,
        platform=ban.platform,
        created=rfc3339(ban.create_time),
        expires=time_of(ban, "expire_time"),
    )
