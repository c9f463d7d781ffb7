"""Serves turnpike.api.agent_runtime.v1.PolicyService."""

from typing import Any
from uuid import UUID

from turnpike.agent_runtime.callers import Person, person_of
from turnpike.agent_runtime.policy import conversion, documents
from turnpike.agent_runtime.policy.catalogue import Grants, Policies
from turnpike.agent_runtime.policy.explaining import Asked, Explainer
from turnpike.agent_runtime.policy.store import NOBODY, KeptGrant, PolicyVersion
from turnpike.api.agent_runtime.v1 import model_service_pb2
from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.paging import cursor_of, moment, number, page_size, page_token
from turnpike.rpc.served import Context

Scope = model_service_pb2.Scope


class PolicyServicer(PolicyServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.PolicyService."""

    def __init__(self, policies: Policies, grants: Grants, explainer: Explainer) -> None:
        self._policies = policies
        self._grants = grants
        self._explainer = explainer

    async def GetPolicy(
        self, request: pb.GetPolicyRequest, context: Context
    ) -> pb.GetPolicyResponse:
        person, whose = person_of(context), _whose(context, request.scope)
        version = await self._policies.get(person.tenant, whose)
        return pb.GetPolicyResponse(version=_version_to_proto(version, whose))

    async def UpdatePolicy(
        self, request: pb.UpdatePolicyRequest, context: Context
    ) -> pb.UpdatePolicyResponse:
        is_own = request.HasField("person")
        person = person_of(context, least="member" if is_own else "admin")
        whose = person.principal if is_own else NOBODY
        version, change = await self._policies.change(
            person.tenant,
            whose,
            spec=_spec(request),
            by=person.principal,
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return pb.UpdatePolicyResponse(
            version=_version_to_proto(version, whose), change=f"CHANGE_{change}"
        )

    async def ListPolicyVersions(
        self, request: pb.ListPolicyVersionsRequest, context: Context
    ) -> pb.ListPolicyVersionsResponse:
        person, whose = person_of(context), _whose(context, request.scope)
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, number)
        versions = await self._policies.versions(
            person.tenant, whose, before=cursor[0] if cursor else None, limit=size + 1
        )
        more = page_token(versions[size - 1].number) if len(versions) > size else ""
        return pb.ListPolicyVersionsResponse(
            versions=[_version_to_proto(each, whose) for each in versions[:size]],
            next_page_token=more,
        )

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        person = person_of(context)
        asked = Asked(
            tenant=person.tenant,
            principal=_for_whom(person, request.principal),
            agent=request.agent,
            tool=request.tool,
            arguments=request.arguments,
            skills=tuple(request.skills),
        )
        verdict, found = await self._explainer.explain(asked)
        return pb.ExplainResponse(
            verdict=f"VERDICT_{verdict.kind.value}",
            reason=verdict.reason,
            source=verdict.source.value,
            rule=verdict.rule,
            decisions=verdict.decisions,
            known=bool(found.digest),
            tenant_policy=verdict.tenant_policy,
            person_policy=verdict.person_policy,
            agent_version=str(found.agent_version),
            skill=verdict.skill,
        )

    async def ExplainTools(
        self, request: pb.ExplainToolsRequest, context: Context
    ) -> pb.ExplainToolsResponse:
        person = person_of(context)
        denied = await self._explainer.denied(person.tenant, person.principal, request.tools)
        return pb.ExplainToolsResponse(denied=denied)

    async def ListGrants(
        self, request: pb.ListGrantsRequest, context: Context
    ) -> pb.ListGrantsResponse:
        person = person_of(context)
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, moment, UUID)
        grants = await self._grants.page(
            person.tenant,
            principal=person.only,
            ended=request.show_ended,
            before=cursor,
            limit=size + 1,
        )
        last = grants[size - 1] if len(grants) > size else None
        return pb.ListGrantsResponse(
            grants=[_grant_to_proto(each) for each in grants[:size]],
            next_page_token=page_token(last.created, last.id) if last else "",
        )

    async def RevokeGrant(
        self, request: pb.RevokeGrantRequest, context: Context
    ) -> pb.RevokeGrantResponse:
        person = person_of(context, least="member")
        grant = await self._grants.revoke(
            person.tenant, request.id, principal=person.only, by=person.principal
        )
        return pb.RevokeGrantResponse(grant=_grant_to_proto(grant))


def _whose(context: Context, scope: "Scope.ValueType") -> UUID:
    return person_of(context).principal if scope == Scope.SCOPE_PERSON else NOBODY


def _for_whom(person: Person, principal: str) -> UUID:
    asked = UUID(principal) if principal else person.principal
    if person.only not in (None, asked):
        raise ForbiddenError("only admins may ask for somebody else")
    return asked


def _spec(request: pb.UpdatePolicyRequest) -> dict[str, Any]:
    if request.HasField("person"):
        person = conversion.person_from_proto(request.person, "person")
        return documents.document_of(person)
    return documents.document_of(conversion.tenant_from_proto(request.tenant, "tenant"))


def _version_to_proto(version: PolicyVersion | None, whose: UUID) -> pb.PolicyVersion:
    spec = version.spec if version else {}
    shown = pb.PolicyVersion(
        id=str(version.id) if version else "",
        number=version.number if version else 0,
        created_by=str(version.created_by) if version else "",
        create_time=version.created if version else None,
        etag=version.etag if version else "",
    )
    if whose == NOBODY:
        tenant = documents.tenant_policy_of(spec)
        shown.tenant.CopyFrom(conversion.tenant_to_proto(tenant))
    else:
        person = documents.person_policy_of(spec)
        shown.person.CopyFrom(conversion.person_to_proto(person))
    return shown


def _grant_to_proto(grant: KeptGrant) -> pb.Grant:
    where = documents.conditions_of(grant.conditions)
    return pb.Grant(
        id=str(grant.id),
        principal=str(grant.principal),
        tool=grant.tool,
        definition_digest=grant.definition_digest,
        where=conversion.predicates_to_proto(where),
        expire_time=grant.expires,
        granted_by=str(grant.granted_by),
        approval=str(grant.approval),
        create_time=grant.created,
        revoke_time=grant.revoked,
        revoked_by=str(grant.revoked_by) if grant.revoked_by else "",
    )
