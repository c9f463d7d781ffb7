"""What the tenant and its people say of tool calls, what that comes to, and grants."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.approval_rules import ApprovalRulesReply, rules_reply
from turnpike.gateway.routes.policy_shapes import (
    PersonPolicy,
    PolicyReply,
    Predicate,
    RuleReply,
    TenantPolicy,
    person_message,
    policy_reply,
    predicate_replies,
    rule_replies,
    tenant_message,
)
from turnpike.gateway.routes.replies import ETAG, RESULT, changed, problems, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import (
    IfMatch,
    Name,
    PageSize,
    PageToken,
    Reply,
    Request,
    Text,
    Time,
    ValidateOnly,
)

_NAMES = {"tenant.": "", "person.": ""}
_SCOPES = {"tenant": "SCOPE_TENANT", "person": "SCOPE_PERSON"}


class _Version(Reply):
    version: str = Field(description="Its id; empty where nobody said anything.")
    number: int
    created_by: str
    etag: str
    updated: Time | None


class TenantPolicyReply(_Version):
    """What no agent of the tenant overrides, and what holds where one says nothing."""

    enabled: bool
    deny: list[str]
    always_ask: list[str]
    rules: list[RuleReply]
    reason: str
    defaults: PolicyReply
    approvals: ApprovalRulesReply | None


class PersonPolicyReply(_Version):
    """What a person says of their own turns."""

    ask: list[str]
    deny: list[str]
    rules: list[RuleReply]
    reason: str


class TenantPolicyPage(Reply):
    """A page of versions, newest first."""

    versions: list[TenantPolicyReply]
    next_page_token: str


class PersonPolicyPage(Reply):
    """A page of versions, newest first."""

    versions: list[PersonPolicyReply]
    next_page_token: str


class Question(Request):
    """A call that nobody makes."""

    agent: Name
    tool: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_./-]+$", max_length=300)
    ]
    arguments: dict[str, Any] = Field(default={})
    principal: Annotated[
        Text, Field(max_length=64, description="For whom: a principal's id; yourself else.")
    ] = ""


class Explanation(Reply):
    """What would become of a call, and why."""

    verdict: str = Field(description="`ALLOW`, `ASK`, `DENY` or `REJECT`.")
    reason: str
    source: str = Field(
        description="What decided: `OFF`, `TENANT`, `AGENT`, `MODE`, `DEFAULTS`, `PERSON`,"
        " `GRANT`, `ANNOTATION` or `NOTHING`."
    )
    rule: str
    decisions: list[str] = Field(description="What a person may decide, when one is asked.")
    known: bool = Field(description="Whether the agent has the tool.")
    tenant_policy: str
    person_policy: str
    agent_version: str


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


class PolicyRoutes:
    """`/api/v1/policies` and `/api/v1/grants`."""

    def __init__(self, policies: PolicyServiceStub) -> None:
        self._policies = policies

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        made = {"headers": ETAG | RESULT}
        for whose, get, put, versions, noun, page in (
            (
                "tenant",
                self.get_tenant_policy,
                self.put_tenant_policy,
                self.list_tenant_policies,
                TenantPolicyReply,
                TenantPolicyPage,
            ),
            (
                "person",
                self.get_person_policy,
                self.put_person_policy,
                self.list_person_policies,
                PersonPolicyReply,
                PersonPolicyPage,
            ),
        ):
            path = f"/api/v1/policies/{whose}"
            answers = problems() | {200: {"headers": ETAG}}
            router.add_api_route(path, get, methods=["GET"], response_model=noun, responses=answers)
            written = problems(412, 413, 415) | {200: made, 201: made | {"model": noun}}
            router.add_api_route(path, put, methods=["PUT"], response_model=noun, responses=written)
            router.add_api_route(
                f"{path}/versions",
                versions,
                methods=["GET"],
                response_model=page,
                responses=problems(),
            )
        router.add_api_route(
            "/api/v1/policies:explain",
            self.explain,
            methods=["POST"],
            response_model=Explanation,
            responses=problems(404, 413, 415),
        )
        self._add_grants(router)
        return router

    def _add_grants(self, router: APIRouter) -> None:
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

    async def get_tenant_policy(self, call: CurrentCall) -> Response:
        """Returns what the tenant says now."""
        return _shown(_tenant(await self._get(call, "tenant")))

    async def get_person_policy(self, call: CurrentCall) -> Response:
        """Returns what you say now of your own turns."""
        return _shown(_person(await self._get(call, "person")))

    async def put_tenant_policy(
        self,
        call: CurrentCall,
        body: TenantPolicy,
        if_match_header: IfMatch = None,
        validate_only: ValidateOnly = False,
    ) -> Response:
        """Makes what the tenant says what the body does: from the next call on."""
        request = pb.UpdatePolicyRequest(
            tenant=tenant_message(body), etag=if_match(if_match_header), validate_only=validate_only
        )
        response = await call.read(self._policies.UpdatePolicy, request, _NAMES)
        said = _tenant(response.version)
        return changed(said, said.etag, response.change, validate_only=validate_only)

    async def put_person_policy(
        self,
        call: CurrentCall,
        body: PersonPolicy,
        if_match_header: IfMatch = None,
        validate_only: ValidateOnly = False,
    ) -> Response:
        """Makes what you say of your own turns what the body does: from the next call on."""
        request = pb.UpdatePolicyRequest(
            person=person_message(body), etag=if_match(if_match_header), validate_only=validate_only
        )
        response = await call.read(self._policies.UpdatePolicy, request, _NAMES)
        said = _person(response.version)
        return changed(said, said.etag, response.change, validate_only=validate_only)

    async def list_tenant_policies(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists what the tenant said, newest first."""
        page = await self._versions(call, "tenant", page_size, page_token)
        return reply(
            TenantPolicyPage(
                versions=[_tenant(each) for each in page.versions],
                next_page_token=page.next_page_token,
            )
        )

    async def list_person_policies(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists what you said, newest first."""
        page = await self._versions(call, "person", page_size, page_token)
        return reply(
            PersonPolicyPage(
                versions=[_person(each) for each in page.versions],
                next_page_token=page.next_page_token,
            )
        )

    async def explain(self, call: CurrentCall, body: Question) -> Response:
        """Says what would become of a call, and why; nothing is called."""
        request = pb.ExplainRequest(
            agent=body.agent,
            tool=body.tool,
            arguments=orjson.dumps(body.arguments).decode(),
            principal=body.principal,
        )
        told = await call.read(self._policies.Explain, request)
        return reply(
            Explanation(
                verdict=pb.Verdict.Name(told.verdict).removeprefix("VERDICT_"),
                reason=told.reason,
                source=told.source,
                rule=told.rule,
                decisions=list(told.decisions),
                known=told.known,
                tenant_policy=told.tenant_policy,
                person_policy=told.person_policy,
                agent_version=told.agent_version,
            )
        )

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

    async def _get(self, call: CurrentCall, whose: str) -> pb.PolicyVersion:
        request = pb.GetPolicyRequest(scope=_SCOPES[whose])
        return (await call.read(self._policies.GetPolicy, request)).version

    async def _versions(
        self, call: CurrentCall, whose: str, page_size: int, page_token: str
    ) -> pb.ListPolicyVersionsResponse:
        request = pb.ListPolicyVersionsRequest(
            scope=_SCOPES[whose], page_size=page_size, page_token=page_token
        )
        return await call.read(self._policies.ListPolicyVersions, request)


def _shown(policy: TenantPolicyReply | PersonPolicyReply) -> Response:
    return reply(policy, headers={"etag": f'"{policy.etag}"'})


def _tenant(version: pb.PolicyVersion) -> TenantPolicyReply:
    policy = version.tenant
    return TenantPolicyReply(
        **_said(version),
        enabled=not policy.disabled,
        deny=list(policy.deny),
        always_ask=list(policy.always_ask),
        rules=rule_replies(policy.rules),
        reason=policy.reason,
        defaults=policy_reply(policy.defaults),
        approvals=rules_reply(policy.approvals) if policy.HasField("approvals") else None,
    )


def _person(version: pb.PolicyVersion) -> PersonPolicyReply:
    policy = version.person
    return PersonPolicyReply(
        **_said(version),
        ask=list(policy.ask),
        deny=list(policy.deny),
        rules=rule_replies(policy.rules),
        reason=policy.reason,
    )


def _said(version: pb.PolicyVersion) -> dict[str, Any]:
    return {
        "version": version.id,
        "number": version.number,
        "created_by": version.created_by,
        "etag": version.etag,
        "updated": time_of(version, "create_time"),
    }


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
