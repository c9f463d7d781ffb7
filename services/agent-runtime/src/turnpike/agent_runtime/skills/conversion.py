"""Skills on the wire."""

from turnpike.agent_runtime.policy.conversion import call_rules_to_proto, tightening_from_proto
from turnpike.agent_runtime.skills.model import SkillSpec
from turnpike.agent_runtime.skills.store import Skill, SkillVersion
from turnpike.api.agent_runtime.v1 import skill_service_pb2 as pb
from turnpike.rpc.errors import InvalidArgumentError


def spec_from_proto(skill: pb.Skill, path: str) -> SkillSpec:
    """Returns what a request says of a skill; `path` is where the request has it.

    Raises:
        InvalidArgumentError: Nothing is in it, or a rule does not tighten.
    """
    description, instructions = _text(skill.description), _text(skill.instructions)
    for name, said in (("description", description), ("instructions", instructions)):
        if not said.strip():
            raise InvalidArgumentError(f"{path}.{name}", "says nothing")
    rules = tightening_from_proto(skill.rules, f"{path}.rules")
    return SkillSpec(description=description, instructions=instructions, rules=rules)


def skill_to_proto(skill: Skill) -> pb.Skill:
    """Returns a skill for a response."""
    return pb.Skill(
        name=skill.name,
        description=skill.spec.description,
        instructions=skill.spec.instructions,
        rules=call_rules_to_proto(skill.spec.rules),
        version=str(skill.version),
        version_number=skill.number,
        etag=skill.etag,
        create_time=skill.created,
        update_time=skill.updated,
    )


def version_to_proto(version: SkillVersion) -> pb.SkillVersion:
    """Returns a version for a response."""
    return pb.SkillVersion(
        id=str(version.id),
        number=version.number,
        description=version.spec.description,
        instructions=version.spec.instructions,
        rules=call_rules_to_proto(version.spec.rules),
        active=version.active,
        create_time=version.created,
    )


def _text(text: str) -> str:
    # No database stores it.
    return text.replace("\0", "")
