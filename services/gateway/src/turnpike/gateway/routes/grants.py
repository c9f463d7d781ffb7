"""Grants: what people approved once and for all."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.gateway.routes.parameters import PageSize, PageToken
from turnpike.gateway.routes.policy_shapes import Predicate, predicate_replies
from turnpike.gateway.routes.replies import problems, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time


class Grant(Reply):
    """A person's standing approval of calls of one tool, as it is defined."""

    id: str
    principal: str
    tool: str
    definition_digest: str
    where: list[Predicate]
    expires: Time | None
    granted_by: str
    approval: str
    created: Time | None
    revoked: Time | None
    revoked_by: str


class GrantPage(Reply):
    """A page of grants, newest first."""

    grants: list[Grant]
    next_page_token: str


class GrantRoutes:
    """`/api/v1/grants`."""

    def __init__(self, policies: PolicyServiceStub) -> None:
        self._policies = policies

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/grants",
            self.list_grants,
            methods=["GET"],
            response_model=GrantPage,
            responses=problems(),
        )
        router.add_api_route(
            "/api/v1/grants/{grant}",
            self.revoke_grant,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 413, 415),
        )
        return router

    async def list_grants(
        self,
        call: CurrentCall,
        page_size: PageSize = 50,
        page_token: PageToken = "",
        show_ended: Annotated[bool, Query(description="Those that ended, too.")] = False,
    ) -> Response:
        """Lists grants, newest first: your own; an admin sees everybody's."""
        request = pb.ListGrantsRequest(
            page_size=page_size, page_token=page_token, show_ended=show_ended
        )
        page = await call.read(self._policies.ListGrants, request)
        return reply(
            GrantPage(
                grants=[_grant(each) for each in page.grants],
                next_page_token=page.next_page_token,
            )
        )

    async def revoke_grant(self, call: CurrentCall, grant: str) -> Response:
        """Revokes a grant: no call that is judged after this runs by it."""
        await call.read(self._policies.RevokeGrant, pb.RevokeGrantRequest(id=grant))
        return Response(status_code=204)


def _grant(grant: pb.Grant) -> Grant:
    return Grant(
        id=grant.id,
        principal=grant.principal,
        tool=grant.tool,
        definition_digest=grant.definition_digest,
        where=predicate_replies(grant.where),
        expires=time_of(grant, "expire_time"),
        granted_by=grant.granted_by,
        approval=grant.approval,
        created=time_of(grant, "create_time"),
        revoked=time_of(grant, "revoke_time"),
        revoked_by=grant.revoked_by,
    )
