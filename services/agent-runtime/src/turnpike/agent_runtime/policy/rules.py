"""Judging calls by compiled rules."""

from collections.abc import Iterable, Sequence

from turnpike.agent_runtime.policy.indexing import Index
from turnpike.agent_runtime.policy.judgement import (
    APPROVE_ALWAYS,
    DECISIONS,
    Grant,
    Kind,
    Source,
    ToolCall,
    Verdict,
)
from turnpike.agent_runtime.policy.matching import Arguments, Condition, MalformedError, Pattern
from turnpike.agent_runtime.policy.model import (
    Effect,
    Layer,
    Layers,
    Mode,
    Predicate,
    Rule,
    SkillRules,
)

# Models make names up: what was asked for is remembered, and not without end.
_MOST_NAMES = 4096
_ASKING = (Effect.ASK, Effect.ALWAYS_ASK)


class _Compiled:
    """A rule, made ready."""

    __slots__ = ("_conditions", "_matches_malformed", "reason", "rule", "skill", "source")

    def __init__(self, rule: Rule, source: Source, reason: str, skill: str = "") -> None:
        self.rule = rule
        self.source = source
        self.skill = skill
        self.reason = rule.reason or reason
        self._conditions = [Condition(each) for each in rule.where]
        # What cannot be read is never the reason to let something run.
        self._matches_malformed = rule.effect is not Effect.ALLOW

    @property
    def key(self) -> tuple[str, tuple[str, ...], str] | None:
        """Where a text is, and what it begins with, if the rule applies."""
        return next(
            ((each.pointer, each.path, each.prefix) for each in self._conditions if each.prefix),
            None,
        )

    def applies(self, arguments: Arguments) -> bool:
        if not self._conditions:
            return True
        return holds(self._conditions, arguments, malformed=self._matches_malformed)


class _Candidates:
    """The rules about one tool, the last one first, found by what arguments begin with.

    So a thousand rules about one tool cost no more than those that may hold.
    """

    def __init__(self, rules: Sequence[_Compiled]) -> None:
        self._rules = rules
        self._others: list[int] = []
        self._by_prefix: dict[tuple[str, tuple[str, ...]], dict[str, list[int]]] = {}
        for position, rule in enumerate(rules):
            if (key := rule.key) is None:
                self._others.append(position)
            else:
                pointer, path, prefix = key
                table = self._by_prefix.setdefault((pointer, path), {})
                table.setdefault(prefix, []).append(position)
        self._longest = {key: max(map(len, prefixes)) for key, prefixes in self._by_prefix.items()}

    def last(self, arguments: Arguments) -> _Compiled | None:
        """Returns the last rule that applies."""
        try:
            positions = self._possible(arguments) if self._by_prefix else self._others
        except MalformedError:
            positions = range(len(self._rules))
        return next(
            (self._rules[each] for each in positions if self._rules[each].applies(arguments)), None
        )

    def _possible(self, arguments: Arguments) -> list[int]:
        found = list(self._others)
        for (pointer, path), prefixes in self._by_prefix.items():
            value = arguments.at(path, pointer)
            if isinstance(value, str):
                for length in range(1, min(self._longest[pointer, path], len(value)) + 1):
                    found += prefixes.get(value[:length], ())
        return sorted(found)


class _Table:
    """Rules in order, found by a tool's name: of those that match, the last one."""

    def __init__(self, rules: Iterable[_Compiled]) -> None:
        self._rules = list(rules)
        self._about: dict[str, list[int]] = {}
        """Where in the order the rules of each pattern are."""

        for position, rule in enumerate(self._rules):
            self._about.setdefault(rule.rule.tool, []).append(position)
        starred = {each: Pattern(each) for each in self._about if "*" in each}
        self._starred = Index(starred)
        self._known: dict[str, _Candidates] = {}
        self._ready: dict[tuple[str, ...], _Candidates] = {}

    def last(self, tool: str, arguments: Arguments) -> _Compiled | None:
        """Returns the last rule that matches."""
        candidates = self._known.get(tool)
        if candidates is None:
            if len(self._known) >= _MOST_NAMES:
                self._known.clear()
                self._ready.clear()
            candidates = self._known[tool] = self._find(tool)
        return candidates.last(arguments)

    def _find(self, tool: str) -> _Candidates:
        """Returns the rules about a tool; tools that the same patterns match have the same."""
        matching = sorted(self._starred.matching(tool))
        if tool in self._about and "*" not in tool:
            matching.append(tool)
        key = tuple(matching)
        if (ready := self._ready.get(key)) is None:
            found = sorted((each for name in key for each in self._about[name]), reverse=True)
            ready = self._ready[key] = _Candidates([self._rules[each] for each in found])
        return ready


class Rules:
    """The layers of one agent for one person, compiled: judging costs microseconds."""

    def __init__(self, layers: Layers) -> None:
        self.enabled = layers.enabled
        self.mode = layers.mode
        tenant = _compiled(layers.tenant, Source.TENANT)
        defaults = _compiled(layers.defaults, Source.DEFAULTS)
        agent = _compiled(layers.agent, Source.AGENT)
        person = _compiled(layers.person, Source.PERSON)
        skills = _compiled_skills(layers.skills)
        everyone = (*defaults, *person, *skills, *agent, *tenant)
        self.denying = _Table(each for each in everyone if each.rule.effect is Effect.DENY)
        self.always = _Table(each for each in tenant if each.rule.effect is Effect.ALWAYS_ASK)
        self.agent = _Table(each for each in agent if each.rule.effect is not Effect.DENY)
        self.defaults = _Table(each for each in defaults if each.rule.effect is not Effect.DENY)
        self.skills = _Table(each for each in skills if each.rule.effect in _ASKING)
        self.person = _Table(each for each in person if each.rule.effect in _ASKING)


def judge(rules: Rules, call: ToolCall, grants: Sequence[Grant] = ()) -> Verdict:
    """Returns what becomes of a call.

    Deny wins, whichever layer says it; then what the tenant always asks for. Else the agent
    says, or the tenant's defaults, or the tool's annotation; skills that are loaded and a
    person may tighten that, and a grant makes an ASK of it an ALLOW.
    """
    if not rules.enabled:
        return Verdict(kind=Kind.ALLOW, source=Source.OFF, reason="policy is switched off")
    arguments = Arguments(call.arguments)
    if denying := rules.denying.last(call.tool, arguments):
        return _said(Kind.DENY, denying, call)
    if always := rules.always.last(call.tool, arguments):
        return _asked(rules, _said(Kind.ASK, always, call, decisions=DECISIONS), call)
    verdict = _tightened(rules, _of_agent(rules, call, arguments), call, arguments)
    if verdict.kind is not Kind.ASK:
        return verdict
    for grant in grants:
        if _covers(grant, call, arguments):
            return Verdict(
                kind=Kind.ALLOW,
                source=Source.GRANT,
                reason=f"a grant allows {call.tool!r}",
                rule=grant.id,
            )
    return _asked(rules, verdict, call)


def holds(conditions: Iterable[Condition], arguments: Arguments, *, malformed: bool) -> bool:
    """Says whether all conditions hold; `malformed` when the arguments cannot be read."""
    try:
        return all(each.holds(arguments) for each in conditions)
    except MalformedError:
        return malformed


def _of_agent(rules: Rules, call: ToolCall, arguments: Arguments) -> Verdict:
    if rules.mode is Mode.BYPASS:
        return Verdict(
            kind=Kind.ALLOW, source=Source.MODE, reason=f"the agent's mode lets {call.tool!r} run"
        )
    for table in (rules.agent, rules.defaults):
        if said := table.last(call.tool, arguments):
            kind = Kind.ALLOW if said.rule.effect is Effect.ALLOW else Kind.ASK
            return _said(kind, said, call, decisions=_decisions(kind, call))
    if call.read_only:
        reason = f"{call.tool!r} only reads, as its trusted annotation says"
        return Verdict(kind=Kind.ALLOW, source=Source.ANNOTATION, reason=reason)
    return Verdict(
        kind=Kind.ASK,
        source=Source.NOTHING,
        reason=f"no rule is about {call.tool!r}, and it may change something",
        decisions=_decisions(Kind.ASK, call),
    )


def _tightened(rules: Rules, verdict: Verdict, call: ToolCall, arguments: Arguments) -> Verdict:
    if verdict.kind is not Kind.ALLOW:
        return verdict
    for table in (rules.skills, rules.person):
        if said := table.last(call.tool, arguments):
            return _said(Kind.ASK, said, call, decisions=_decisions(Kind.ASK, call))
    return verdict


def _asked(rules: Rules, verdict: Verdict, call: ToolCall) -> Verdict:
    if rules.mode is not Mode.DONT_ASK:
        return verdict
    return Verdict(
        kind=Kind.REJECT,
        source=verdict.source,
        reason=f"policy asks a person before {call.tool!r}, and this agent asks nobody",
        rule=verdict.rule,
        skill=verdict.skill,
    )


def _covers(grant: Grant, call: ToolCall, arguments: Arguments) -> bool:
    return (
        call.grantable
        and grant.tool == call.tool
        and (grant.digest, grant.connector) == (call.digest, call.connector)
        and holds(_conditions(grant.where), arguments, malformed=False)
    )


def _conditions(where: Iterable[Predicate]) -> list[Condition]:
    return [Condition(each) for each in where]


def _decisions(kind: Kind, call: ToolCall) -> tuple[str, ...]:
    if kind is not Kind.ASK:
        return ()
    return (*DECISIONS, APPROVE_ALWAYS) if call.grantable and call.digest else DECISIONS


_ALWAYS = "policy always asks a person before"
_TELLING = {
    Kind.ALLOW: "policy allows",
    Kind.ASK: "policy asks a person before",
    Kind.DENY: "policy denies",
}


def _said(
    kind: Kind, said: _Compiled, call: ToolCall, *, decisions: tuple[str, ...] = ()
) -> Verdict:
    # Whoever approved what an agent asks about has not seen that a tenant always asks: the two
    # reasons differ, and a reason that differs is asked about again.
    always = kind is Kind.ASK and said.source is Source.TENANT
    telling = _ALWAYS if always else _TELLING[kind]
    if said.skill:
        telling = telling.replace("policy", f"the skill {said.skill!r}", 1)
    reason = f"{telling} {call.tool!r}"
    if said.reason:
        reason += f": {said.reason.replace('{tool}', call.tool)}"
    return Verdict(
        kind=kind,
        source=said.source,
        reason=reason,
        rule=said.rule.tool,
        skill=said.skill,
        decisions=decisions,
    )


def _compiled(layer: Layer, source: Source) -> list[_Compiled]:
    return [_Compiled(rule, source, layer.reason) for rule in layer.rules]


def _compiled_skills(skills: Iterable[SkillRules]) -> list[_Compiled]:
    return [_Compiled(rule, Source.SKILL, "", said.skill) for said in skills for rule in said.rules]
