"""Judging the calls of a step, right before they run, by what is said at that moment."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.approvals.model import DEFAULT_RULES, ApprovalRules
from turnpike.agent_runtime.policy.documents import (
    conditions_of,
    person_policy_of,
    rules_of,
    tenant_policy_of,
)
from turnpike.agent_runtime.policy.judgement import Grant, ToolCall, Verdict
from turnpike.agent_runtime.policy.model import (
    UNSAID_PERSON,
    UNSAID_TENANT,
    PersonPolicy,
    Policy,
    SkillRules,
    TenantPolicy,
    layered,
)
from turnpike.agent_runtime.policy.rules import Rules, judge
from turnpike.database.failures import persist

Key = TypeVar("Key")
Value = TypeVar("Value")

_READ = (
    "SELECT tenant_version, tenant_spec, person_version, person_spec, standing"
    " FROM read_policy($1, $2, $3, $4)"
)
_READ_SKILLS = "SELECT skill, version, rules FROM read_skill_rules($1, $2, $3)"
_PATIENCE_SECONDS = 30.0
_MOST_COMPILED = 1024
_MOST_SEEN = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose calls are judged, and what their agent says."""

    tenant: UUID
    principal: UUID
    agent_version: UUID
    policy: Policy


@dataclass(frozen=True, slots=True)
class _Said:
    """What tenant and person say; versions are None where nothing is said."""

    tenant_version: UUID | None = None
    tenant: TenantPolicy = UNSAID_TENANT
    person_version: UUID | None = None
    person: PersonPolicy = UNSAID_PERSON


_Skills = dict[UUID, SkillRules]
"""What skills say that are loaded, by version, in the order in which they were."""


class Judges:
    """Judges calls of all turns of a replica.

    What tenants and people say, and grants, are read anew for each judgement, in one
    statement: a change holds for every judgement after it, on every replica. Only what
    never changes is kept, compiled.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._seen: OrderedDict[tuple[UUID, UUID], _Said] = OrderedDict()
        self._seen_skills: OrderedDict[UUID, SkillRules] = OrderedDict()
        self._compiled: OrderedDict[tuple[UUID | None, ...], Rules] = OrderedDict()

    async def judge(
        self, subject: Subject, calls: Sequence[ToolCall], loaded: Sequence[UUID] = ()
    ) -> list[Verdict]:
        """Returns what becomes of each of a step's calls."""
        return (await self.judged(subject, calls, loaded))[0]

    async def judged(
        self, subject: Subject, calls: Sequence[ToolCall], loaded: Sequence[UUID] = ()
    ) -> tuple[list[Verdict], ApprovalRules]:
        """Returns what becomes of each of a step's calls, and who decides by default.

        Of skills that are loaded, in some versions, what they say now counts too.
        """
        if not calls:
            return [], DEFAULT_RULES
        said, grants = await self._read(subject, [call.tool for call in calls])
        skills = await self._read_skills(subject.tenant, loaded) if loaded else {}
        rules = self._rules(subject, said, skills)
        verdicts = [judge(rules, call, grants) for call in calls]
        versions = {
            "tenant_policy": _named(said.tenant_version),
            "person_policy": _named(said.person_version),
            "skill_versions": ",".join(map(str, skills)),
        }
        return [replace(verdict, **versions) for verdict in verdicts], said.tenant.approvals

    async def _read(self, subject: Subject, tools: list[str]) -> tuple[_Said, list[Grant]]:
        seen = self._seen.get((subject.tenant, subject.principal), _Said())
        known = [each for each in (seen.tenant_version, seen.person_version) if each]
        row = await persist(
            lambda: self._pool.fetchrow(_READ, subject.tenant, subject.principal, known, tools),
            _PATIENCE_SECONDS,
        )
        assert row is not None, "a function with OUT parameters returns one row"  # noqa: S101
        said = _said(row, seen)
        _keep(self._seen, (subject.tenant, subject.principal), said, _MOST_SEEN)
        return said, [_grant(each) for each in orjson.loads(row["standing"])]

    async def _read_skills(self, tenant: UUID, loaded: Sequence[UUID]) -> _Skills:
        # Taken along: what is forgotten while they are read is not read again.
        known = {each: self._seen_skills[each] for each in loaded if each in self._seen_skills}
        rows = await persist(
            lambda: self._pool.fetch(_READ_SKILLS, tenant, list(loaded), list(known)),
            _PATIENCE_SECONDS,
        )
        skills = {row["version"]: known.get(row["version"]) or _skill(row) for row in rows}
        for version, skill in skills.items():
            _keep(self._seen_skills, version, skill, _MOST_COMPILED)
        return skills

    def _rules(self, subject: Subject, said: _Said, skills: _Skills) -> Rules:
        key = (subject.agent_version, said.tenant_version, said.person_version, *skills)
        rules = self._compiled.get(key)
        if rules is None:
            layers = layered(subject.policy, said.tenant, said.person, tuple(skills.values()))
            rules = Rules(layers)
        return _keep(self._compiled, key, rules, _MOST_COMPILED)


class Judge:
    """Judges the calls of one turn."""

    def __init__(self, judges: Judges, subject: Subject) -> None:
        self._judges = judges
        self._subject = subject
        self.approvals = DEFAULT_RULES
        """Who decides by default, as the tenant said when calls were judged last."""

    async def judge(self, calls: Sequence[ToolCall], loaded: Sequence[UUID] = ()) -> list[Verdict]:
        """Returns what becomes of each of a step's calls, by what is said at this moment.

        Args:
            calls: The calls.
            loaded: The versions of the skills that are loaded, in the order in which they were.

        Raises:
            Exception: Postgres stays away.
        """
        verdicts, approvals = await self._judges.judged(self._subject, calls, loaded)
        self.approvals = approvals if calls else self.approvals
        return verdicts


def _said(row: Any, seen: _Said) -> _Said:
    tenant, person = row["tenant_version"], row["person_version"]
    return _Said(
        tenant,
        seen.tenant if tenant == seen.tenant_version else _tenant(row["tenant_spec"]),
        person,
        seen.person if person == seen.person_version else _person(row["person_spec"]),
    )


def _tenant(spec: str | None) -> TenantPolicy:
    return tenant_policy_of(orjson.loads(spec)) if spec else UNSAID_TENANT


def _person(spec: str | None) -> PersonPolicy:
    return person_policy_of(orjson.loads(spec)) if spec else UNSAID_PERSON


def _skill(row: Any) -> SkillRules:
    rules = rules_of(orjson.loads(row["rules"])) if row["rules"] else ()
    return SkillRules(skill=row["skill"], rules=rules)


def _grant(stored: dict[str, Any]) -> Grant:
    where = conditions_of(stored["conditions"])
    return Grant(
        id=stored["id"],
        tool=stored["tool"],
        digest=stored["digest"],
        connector=stored["connector"],
        where=where,
    )


def _named(version: UUID | None) -> str:
    return str(version) if version else ""


def _keep(kept: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> Value:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
    return value
