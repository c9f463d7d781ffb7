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
