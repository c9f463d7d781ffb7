"""What rules, layers and verdicts are, without any I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from turnpike.agent_runtime.approvals.model import DEFAULT_RULES, ApprovalRules
from turnpike.agent_runtime.filters.model import TextFilter


class Effect(StrEnum):
    """What a rule does with the calls that it matches."""

    ALLOW = "ALLOW"
    ASK = "ASK"
    DENY = "DENY"
    ALWAYS_ASK = "ALWAYS_ASK"
    """As ASK, and neither a mode, nor another layer, nor a grant makes it anything less."""


class Mode(StrEnum):
    """What an agent does with what its rules say."""

    UNSAID = ""
    """As the tenant's defaults have it."""

    DEFAULT = "DEFAULT"
    BYPASS = "BYPASS"
    """All runs but what is denied or always asked for."""

    DONT_ASK = "DONT_ASK"
    """What would be asked for is rejected."""


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


class Comparison(StrEnum):
    """How a predicate compares."""

    EQUALS = "EQUALS"
    IN = "IN"
    PATTERN = "PATTERN"
    """A text, with `*` for anything."""

    RANGE = "RANGE"
    """A number, both bounds included; None for no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """What must hold of one value among a call's arguments; false where there is none."""

    path: str
    """A JSON pointer, RFC 6901."""

    test: Comparison
    operand: Any
    """A value, several, a pattern, or a pair of bounds: as `test` takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to do with calls of some tools, if all of its predicates hold."""

    tool: str
    """`connector/tool`, with `*` for anything."""

    effect: Effect
    where: tuple[Predicate, ...] = ()
    reason: str = ""
    """For people; `{tool}` stands for the tool's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The rules of one source: of those that match, the last one counts."""

    rules: tuple[Rule, ...] = ()
    reason: str = ""
    """That of rules without one."""


NO_RULES = Layer()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillRules:
    """What a version of a skill says of calls, where it is loaded: it only tightens."""

    skill: str
    """Its name."""

    rules: tuple[Rule, ...] = ()
    """ASK and DENY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """All that is said of the calls of one agent for one person."""

    enabled: bool = True
    tenant: Layer = NO_RULES
    """DENY and ALWAYS_ASK."""

    defaults: Layer = NO_RULES
    """ALLOW and ASK: the tenant's, where the agent says nothing."""

    agent: Layer = NO_RULES
    """ALLOW, ASK and DENY."""

    skills: tuple[SkillRules, ...] = ()
    """Of those that are loaded, in the order in which they were."""

    person: Layer = NO_RULES
    """ASK and DENY: what a person says only tightens."""

    mode: Mode = Mode.DEFAULT


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


def listed(effect: Effect, tools: Sequence[str]) -> tuple[Rule, ...]:
    """Returns the rules that a plain list of patterns stands for."""
    return tuple(Rule(tool=tool, effect=effect) for tool in tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an agent's spec says of its calls, or a tenant's defaults of every agent's."""

    mode: Mode = Mode.UNSAID
    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    reason: str = ""

    @property
    def layer(self) -> Layer:
        """Its rules, the plain lists first: what is said with more words comes last."""
        plain = (
            listed(Effect.ALLOW, self.allow)
            + listed(Effect.ASK, self.ask)
            + listed(Effect.DENY, self.deny)
        )
        return Layer(rules=plain + self.rules, reason=self.reason)


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """What a tenant says of the calls of all its agents."""

    enabled: bool = True
    deny: tuple[str, ...] = ()
    always_ask: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    """DENY and ALWAYS_ASK."""

    reason: str = ""
    defaults: Policy = NO_POLICY
    """Where an agent says nothing; denies nothing."""

    approvals: ApprovalRules = DEFAULT_RULES
    """Who decides what agents ask for that say nothing of it."""

    text_filters: tuple[TextFilter, ...] = ()

    @property
    def layer(self) -> Layer:
        """Its rules, the plain lists first."""
        plain = listed(Effect.ALWAYS_ASK, self.always_ask) + listed(Effect.DENY, self.deny)
        return Layer(rules=plain + self.rules, reason=self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPolicy:
    """What a person says of the calls of their own turns: it only tightens."""

    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    """ASK and DENY."""

    reason: str = ""

    @property
    def layer(self) -> Layer:
        """Its rules, the plain lists first."""
        plain = listed(Effect.ASK, self.ask) + listed(Effect.DENY, self.deny)
        return Layer(rules=plain + self.rules, reason=self.reason)


UNSAID_TENANT = TenantPolicy()
UNSAID_PERSON = PersonPolicy()


def layered(
    agent: Policy,
    tenant: TenantPolicy,
    person: PersonPolicy,
    skills: tuple[SkillRules, ...] = (),
) -> Layers:
    """Returns all that is said of an agent's calls for a person, where skills are loaded."""
    return Layers(
        enabled=tenant.enabled,
        tenant=tenant.layer,
        defaults=tenant.defaults.layer,
        agent=agent.layer,
        skills=skills,
        person=person.layer,
        mode=agent.mode or tenant.defaults.mode or Mode.DEFAULT,
    )
