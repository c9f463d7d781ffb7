"""What the tenant and its people say of tool calls."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.gateway.routes.approval_rules import ApprovalRulesReply, rules_reply
from turnpike.gateway.routes.parameters import CurrentWrite, Page
from turnpike.gateway.routes.policy_shapes import (
    PersonPolicy,
    PolicyReply,
    RuleReply,
    TenantPolicy,
    person_message,
    policy_reply,
    rule_replies,
    tenant_message,
)
from turnpike.gateway.routes.replies import ETAG, RESULT, changed, problems, reply, tagged, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time
from turnpike.gateway.routes.text_filters import TextFilterReply, filter_replies

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
    text_filters: list[TextFilterReply]


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


class PolicyRoutes:
    """`/api/v1/policies`."""

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
        return router

    async def get_tenant_policy(self, call: CurrentCall) -> Response:
        """Returns what the tenant says now."""
        return tagged(_tenant(await self._get(call, "tenant")))

    async def get_person_policy(self, call: CurrentCall) -> Response:
        """Returns what you say now of your own turns."""
        return tagged(_person(await self._get(call, "person")))

    async def put_tenant_policy(
        self, call: CurrentCall, body: TenantPolicy, write: CurrentWrite
    ) -> Response:
        """Makes what the tenant says what the body does: from the next call on."""
        request = pb.UpdatePolicyRequest(
            tenant=tenant_message(body), etag=write.etag, validate_only=write.validate_only
        )
        response = await call.read(self._policies.UpdatePolicy, request, _NAMES)
        return changed(_tenant(response.version), response.change, write)

    async def put_person_policy(
        self, call: CurrentCall, body: PersonPolicy, write: CurrentWrite
    ) -> Response:
        """Makes what you say of your own turns what the body does: from the next call on."""
        request = pb.UpdatePolicyRequest(
            person=person_message(body), etag=write.etag, validate_only=write.validate_only
        )
        response = await call.read(self._policies.UpdatePolicy, request, _NAMES)
        return changed(_person(response.version), response.change, write)

    async def list_tenant_policies(self, call: CurrentCall, page: Page) -> Response:
        """Lists what the tenant said, newest first."""
        found = await self._versions(call, "tenant", page)
        versions = [_tenant(each) for each in found.versions]
        return reply(TenantPolicyPage(versions=versions, next_page_token=found.next_page_token))

    async def list_person_policies(self, call: CurrentCall, page: Page) -> Response:
        """Lists what you said, newest first."""
        found = await self._versions(call, "person", page)
        versions = [_person(each) for each in found.versions]
        return reply(PersonPolicyPage(versions=versions, next_page_token=found.next_page_token))

    async def _get(self, call: CurrentCall, whose: str) -> pb.PolicyVersion:
        request = pb.GetPolicyRequest(scope=_SCOPES[whose])
        return (await call.read(self._policies.GetPolicy, request)).version

    async def _versions(
        self, call: CurrentCall, whose: str, page: dict[str, Any]
    ) -> pb.ListPolicyVersionsResponse:
        request = pb.ListPolicyVersionsRequest(scope=_SCOPES[whose], **page)
        return await call.read(self._policies.ListPolicyVersions, request)


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
        text_filters=filter_replies(policy.text_filters),
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
