"""Skills, as admins keep them."""

from typing import Any

from tests.agent_runtime.serving import Metadata, Tenant
from turnpike.api.agent_runtime.v1 import skill_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_pb2 import Rule


def skill(name: str = "careful", **fields: Any) -> pb.Skill:
    """Returns a skill as somebody wants it."""
    values: dict[str, Any] = {"description": "For care.", "instructions": "Take care.", **fields}
    return pb.Skill(name=name, **values)


async def create_skill(tenant: Tenant, wanted: pb.Skill, **options: Any) -> pb.Skill:
    """Creates one."""
    request = pb.CreateSkillRequest(skill=wanted, **options)
    return (await tenant.runtime.skills.CreateSkill(request, metadata=tenant.admin)).skill


async def put_skill(tenant: Tenant, wanted: pb.Skill, **options: Any) -> pb.UpdateSkillResponse:
    """Makes one what is wanted."""
    values: dict[str, Any] = {"allow_missing": "etag" not in options, **options}
    request = pb.UpdateSkillRequest(skill=wanted, **values)
    return await tenant.runtime.skills.UpdateSkill(request, metadata=tenant.admin)


async def get_skill(tenant: Tenant, name: str = "careful") -> pb.Skill:
    """Returns one as it is."""
    request = pb.GetSkillRequest(name=name)
    return (await tenant.runtime.skills.GetSkill(request, metadata=tenant.admin)).skill


async def delete_skill(
    tenant: Tenant, name: str = "careful", etag: str = "", by: Metadata | None = None
) -> None:
    """Deletes one."""
    request = pb.DeleteSkillRequest(name=name, etag=etag)
    await tenant.runtime.skills.DeleteSkill(request, metadata=by or tenant.admin)


def rule(effect: str = "DENY", reason: str = "careful", **where: Any) -> Rule:
    """Returns a rule about `effects/transfer`, where its arguments are like patterns."""
    made = Rule(tool="effects/t*", effect=f"RULE_EFFECT_{effect}", reason=reason)
    for name, pattern in where.items():
        made.where.add(path=f"/{name}", pattern=pattern)
    return made
