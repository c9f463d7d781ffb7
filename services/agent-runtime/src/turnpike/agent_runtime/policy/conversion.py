"""Policies on the wire."""

import math
from collections.abc import Container, Iterable, Sequence
from typing import Any

from google.protobuf import struct_pb2

from turnpike.agent_runtime.approvals.rules import rules_from_proto, rules_to_proto
from turnpike.agent_runtime.filters.conversion import filters_from_proto, filters_to_proto
from turnpike.agent_runtime.policy.model import (
    NO_POLICY,
    Comparison,
    Effect,
    Mode,
    PersonPolicy,
    Policy,
    Predicate,
    Rule,
    TenantPolicy,
)
from turnpike.api.agent_runtime.v1 import policy_pb2 as pb
from turnpike.rpc.errors import InvalidArgumentError

_OF_AGENTS = (Effect.ALLOW, Effect.ASK, Effect.DENY)
_OF_DEFAULTS = (Effect.ALLOW, Effect.ASK)
_OF_TENANTS = (Effect.DENY, Effect.ALWAYS_ASK)
_OF_PEOPLE = (Effect.ASK, Effect.DENY)


def policy_from_proto(policy: pb.Policy, path: str) -> Policy:
    """Returns an agent's policy in a request; `path` is where the request has it.

    Raises:
        InvalidArgumentError: It says what no agent may, or nothing sensible.
    """
    return _policy(policy, path, _OF_AGENTS)


def tenant_from_proto(policy: pb.TenantPolicy, path: str) -> TenantPolicy:
    """Returns a tenant's policy in a request; raises as `policy_from_proto` does."""
    if policy.defaults.deny:
        raise InvalidArgumentError(f"{path}.defaults.deny", "defaults deny nothing: say it outside")
    return TenantPolicy(
        enabled=not policy.disabled,
        deny=tuple(policy.deny),
        always_ask=tuple(policy.always_ask),
        rules=_rules(policy.rules, f"{path}.rules", _OF_TENANTS),
        reason=_text(policy.reason),
        defaults=_policy(policy.defaults, f"{path}.defaults", _OF_DEFAULTS),
        approvals=rules_from_proto(policy.approvals),
        text_filters=filters_from_proto(policy.text_filters, f"{path}.text_filters"),
    )


def person_from_proto(policy: pb.PersonPolicy, path: str) -> PersonPolicy:
    """Returns a person's policy in a request; raises as `policy_from_proto` does."""
    return PersonPolicy(
        ask=tuple(policy.ask),
        deny=tuple(policy.deny),
        rules=_rules(policy.rules, f"{path}.rules", _OF_PEOPLE),
        reason=_text(policy.reason),
    )


def policy_to_proto(policy: Policy) -> pb.Policy:
    """Returns an agent's policy for a response."""
    return pb.Policy(
        allow=policy.allow,
        ask=policy.ask,
        deny=policy.deny,
        mode=f"POLICY_MODE_{policy.mode.value or 'UNSPECIFIED'}",
        rules=call_rules_to_proto(policy.rules),
        reason=policy.reason,
    )


def tenant_to_proto(policy: TenantPolicy) -> pb.TenantPolicy:
    """Returns a tenant's policy for a response."""
    return pb.TenantPolicy(
        disabled=not policy.enabled,
        deny=policy.deny,
        always_ask=policy.always_ask,
        rules=call_rules_to_proto(policy.rules),
        reason=policy.reason,
        defaults=None if policy.defaults == NO_POLICY else policy_to_proto(policy.defaults),
        approvals=rules_to_proto(policy.approvals),
        text_filters=filters_to_proto(policy.text_filters),
    )


def person_to_proto(policy: PersonPolicy) -> pb.PersonPolicy:
    """Returns a person's policy for a response."""
    return pb.PersonPolicy(
        ask=policy.ask,
        deny=policy.deny,
        rules=call_rules_to_proto(policy.rules),
        reason=policy.reason,
    )


def tightening_from_proto(rules: Sequence[pb.Rule], path: str) -> tuple[Rule, ...]:
    """Returns rules in a request that ask or deny; raises as `policy_from_proto` does."""
    return _rules(rules, path, _OF_PEOPLE)


def call_rules_to_proto(rules: Iterable[Rule]) -> list[pb.Rule]:
    """Returns rules for a response."""
    return [
        pb.Rule(
            tool=rule.tool,
            effect=f"RULE_EFFECT_{rule.effect.value}",
            where=predicates_to_proto(rule.where),
            reason=rule.reason,
        )
        for rule in rules
    ]


def predicates_to_proto(where: Iterable[Predicate]) -> list[pb.Predicate]:
    """Returns predicates for a response."""
    return [_predicate_to_proto(each) for each in where]


def _policy(policy: pb.Policy, path: str, effects: Container[Effect]) -> Policy:
    mode = pb.PolicyMode.Name(policy.mode).removeprefix("POLICY_MODE_")
    return Policy(
        mode=Mode.UNSAID if mode == "UNSPECIFIED" else Mode(mode),
        allow=tuple(policy.allow),
        ask=tuple(policy.ask),
        deny=tuple(policy.deny),
        rules=_rules(policy.rules, f"{path}.rules", effects),
        reason=_text(policy.reason),
    )


def _rules(rules: Sequence[pb.Rule], path: str, effects: Container[Effect]) -> tuple[Rule, ...]:
    return tuple(_rule(rule, f"{path}[{index}]", effects) for index, rule in enumerate(rules))


def _rule(rule: pb.Rule, path: str, effects: Container[Effect]) -> Rule:
    effect = Effect(pb.RuleEffect.Name(rule.effect).removeprefix("RULE_EFFECT_"))
    if effect not in effects:
        raise InvalidArgumentError(f"{path}.effect", f"{effect.value} is not said here")
    where = tuple(
        _predicate(each, f"{path}.where[{index}]") for index, each in enumerate(rule.where)
    )
    return Rule(tool=rule.tool, effect=effect, where=where, reason=_text(rule.reason))


def _predicate(predicate: pb.Predicate, path: str) -> Predicate:
    which = predicate.WhichOneof("test")
    if which == "range":
        test, operand = Comparison.RANGE, _bounds(predicate.range, f"{path}.range")
    elif which == "one_of":
        values = predicate.one_of.values
        test = Comparison.IN
        operand = tuple(_plain(v, f"{path}.one_of[{i}]") for i, v in enumerate(values))
    elif which == "pattern":
        test, operand = Comparison.PATTERN, _text(predicate.pattern)
    else:
        test, operand = Comparison.EQUALS, _plain(predicate.equals, f"{path}.equals")
    return Predicate(path=_text(predicate.path), test=test, operand=operand)


def _bounds(bounds: pb.NumberRange, path: str) -> tuple[float | None, float | None]:
    least = bounds.minimum if bounds.HasField("minimum") else None
    most = bounds.maximum if bounds.HasField("maximum") else None
    if least is None and most is None:
        raise InvalidArgumentError(path, "has no bound")
    if not all(each is None or math.isfinite(each) for each in (least, most)):
        raise InvalidArgumentError(path, "has a bound that is no number")
    return least, most


def _plain(value: struct_pb2.Value, path: str) -> Any:
    """Returns a value as JSON reads it."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        return {_text(name): _plain(fields[name], path) for name in fields}
    if kind == "list_value":
        return [_plain(each, path) for each in value.list_value.values]
    if kind == "number_value":
        return _number(value.number_value, path)
    if kind == "string_value":
        return _text(value.string_value)
    return value.bool_value if kind == "bool_value" else None


def _number(number: float, path: str) -> float | int:
    if not math.isfinite(number):
        raise InvalidArgumentError(path, "is no number")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _text(text: str) -> str:
    # No database stores it, and no tool means it.
    return text.replace("\0", "")


def _predicate_to_proto(predicate: Predicate) -> pb.Predicate:
    shown = pb.Predicate(path=predicate.path)
    if predicate.test is Comparison.RANGE:
        least, most = predicate.operand
        shown.range.CopyFrom(pb.NumberRange(minimum=least, maximum=most))
    elif predicate.test is Comparison.IN:
        shown.one_of.values.extend(_value(each) for each in predicate.operand)
        shown.one_of.SetInParent()
    elif predicate.test is Comparison.PATTERN:
        shown.pattern = predicate.operand
    else:
        shown.equals.CopyFrom(_value(predicate.operand))
    return shown


def _value(plain: Any) -> struct_pb2.Value:
    if isinstance(plain, dict):
        fields: dict[str, Any] = plain
        shown = struct_pb2.Struct(fields={name: _value(each) for name, each in fields.items()})
        return struct_pb2.Value(struct_value=shown)
    if isinstance(plain, list | tuple):
        values: Sequence[Any] = plain
        return struct_pb2.Value(
            list_value=struct_pb2.ListValue(values=[_value(each) for each in values])
        )
    if isinstance(plain, bool):
        return struct_pb2.Value(bool_value=plain)
    if isinstance(plain, str):
        return struct_pb2.Value(string_value=plain)
    if plain is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    return struct_pb2.Value(number_value=plain)
