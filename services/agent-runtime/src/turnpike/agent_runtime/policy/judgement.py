"""A call to be judged, and what becomes of it."""

from dataclasses import dataclass
from enum import StrEnum

from turnpike.agent_runtime.policy.model import Predicate


class Kind(StrEnum):
    """What becomes of a call."""

    ALLOW = "ALLOW"
    ASK = "ASK"
    DENY = "DENY"
    REJECT = "REJECT"
    """It would be asked for, and nobody is to be asked."""


class Source(StrEnum):
    """What decided."""

    OFF = "OFF"
    """The tenant's policy is switched off."""

    TENANT = "TENANT"
    AGENT = "AGENT"
    MODE = "MODE"
    DEFAULTS = "DEFAULTS"
    """The tenant's, where the agent says nothing."""

    SKILL = "SKILL"
    """One that the thread has loaded."""

    PERSON = "PERSON"
    GRANT = "GRANT"
    ANNOTATION = "ANNOTATION"
    """No rule matched; the tool says that it only reads, and is trusted."""

    NOTHING = "NOTHING"
    """No rule matched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call as it will be sent."""

    tool: str
    """`connector/tool`."""

    arguments: str
    """A JSON document."""

    digest: str = ""
    """Of the tool's definition."""

    read_only: bool = False
    """Whether the tool says that it only reads, and is trusted."""

    connector: str = ""
    """Which connector's it is, whatever that is called."""

    grantable: bool = True
    """Whether a grant for it can be kept: it is a connector's, with a definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A person's standing approval of calls of one tool, as it is defined now."""

    id: str
    tool: str
    """`connector/tool`, and never a pattern."""

    digest: str
    connector: str = ""
    """Which connector it is of: one that has the name later is another."""

    where: tuple[Predicate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a call, and why."""

    kind: Kind
    source: Source
    reason: str
    """For people, and for the model."""

    rule: str = ""
    """The pattern of the rule that decided, or the id of the grant."""

    skill: str = ""
    """The skill whose rule decided; empty where none did."""

    decisions: tuple[str, ...] = ()
    """What a person may decide, when one is asked."""

    tenant_policy: str = ""
    """The id of the version of the tenant's policy; empty where there is none."""

    person_policy: str = ""
    skill_versions: str = ""
    """The ids of the versions of skills whose rules held, with commas; empty where none did."""

    @property
    def recorded(self) -> dict[str, str]:
        """What the audit has of it."""
        skills = {"skill": self.skill, "skill_versions": self.skill_versions}
        return {
            "verdict": self.kind.value,
            "source": self.source.value,
            "rule": self.rule,
            "tenant_policy": self.tenant_policy,
            "person_policy": self.person_policy,
            **(skills if self.skill_versions else {}),
        }


DECISIONS = ("approve", "edit", "respond", "reject")
APPROVE_ALWAYS = "approve_always"
