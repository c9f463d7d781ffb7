"""Policies as they are stored: JSON in which what is not said is left out."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from turnpike.agent_runtime.approvals.model import ApprovalRules
from turnpike.agent_runtime.filters.model import TextFilter
from turnpike.agent_runtime.policy.model import (
    Comparison,
    Effect,
    Mode,
    PersonPolicy,
    Policy,
    Predicate,
    Rule,
    TenantPolicy,
)

POLICY_NAMES = frozenset(each.name for each in fields(Policy))
"""What a stored agent has of its policy."""

Stored = dict[str, Any]
Kind = TypeVar("Kind", Policy, TenantPolicy, PersonPolicy)


def document_of(policy: Policy | TenantPolicy | PersonPolicy) -> Stored:
    """Returns what is stored of a policy; of two that say the same, the same."""
    said = {each.name: getattr(policy, each.name) for each in fields(policy)}
    default = type(policy)()
    return {name: _plain(value) for name, value in said.items() if value != getattr(default, name)}


def policy_of(stored: Mapping[str, Any]) -> Policy:
    """Returns the policy that was stored."""
    return _read(Policy, stored)


def tenant_policy_of(stored: Mapping[str, Any]) -> TenantPolicy:
    """Returns the policy of a tenant that was stored."""
    return _read(TenantPolicy, stored)


def person_policy_of(stored: Mapping[str, Any]) -> PersonPolicy:
    """Returns the policy of a person that was stored."""
    return _read(PersonPolicy, stored)


def rules_document(rules: Iterable[Rule]) -> list[Stored]:
    """Returns what is stored of rules."""
    return [_plain_rule(each) for each in rules]


def rules_of(stored: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Returns the rules that were stored."""
    return tuple(
        Rule(
            tool=each["tool"],
            effect=Effect(each["effect"]),
            where=conditions_of(each.get("where", ())),
            reason=each.get("reason", ""),
        )
        for each in stored
    )


def conditions_document(where: Iterable[Predicate]) -> list[Stored]:
    """Returns what is stored of predicates."""
    return [_plain_predicate(each) for each in where]


def conditions_of(stored: Iterable[Mapping[str, Any]]) -> tuple[Predicate, ...]:
    """Returns the predicates that were stored."""
    return tuple(_predicate(each) for each in stored)


def _plain(value: Any) -> Any:
    if isinstance(value, Policy):
        return document_of(value)
    if isinstance(value, ApprovalRules):
        return value.as_dict()
    if isinstance(value, tuple):
        return [_plain_item(each) for each in value]
    return value


def _plain_item(item: Any) -> Any:
    if isinstance(item, Rule):
        return _plain_rule(item)
    return item.as_dict() if isinstance(item, TextFilter) else item


def _plain_rule(rule: Rule) -> Stored:
    stored: Stored = {"tool": rule.tool, "effect": rule.effect.value}
    if rule.where:
        stored["where"] = conditions_document(rule.where)
    if rule.reason:
        stored["reason"] = rule.reason
    return stored


def _plain_predicate(predicate: Predicate) -> Stored:
    test, operand = predicate.test.value, predicate.operand
    plain = list(operand) if predicate.test in (Comparison.IN, Comparison.RANGE) else operand
    return {"path": predicate.path, "test": test, "operand": plain}


def _read(kind: type[Kind], stored: Mapping[str, Any]) -> Kind:
    return kind(**{name: _READERS[name](value) for name, value in stored.items()})


def _text_filters(stored: Iterable[Mapping[str, Any]]) -> tuple[TextFilter, ...]:
    return tuple(map(TextFilter.from_dict, stored))


def _predicate(stored: Mapping[str, Any]) -> Predicate:
    test, operand = Comparison(stored["test"]), stored["operand"]
    several = test in (Comparison.IN, Comparison.RANGE)
    return Predicate(path=stored["path"], test=test, operand=tuple(operand) if several else operand)


_READERS: dict[str, Any] = {
    "enabled": bool,
    "mode": Mode,
    "reason": str,
    "rules": rules_of,
    "defaults": policy_of,
    "approvals": ApprovalRules.from_dict,
    "text_filters": _text_filters,
    **dict.fromkeys(("allow", "ask", "deny", "always_ask"), tuple),
}
