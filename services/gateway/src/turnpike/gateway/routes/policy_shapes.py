"""Policies in requests and replies, and as the services know them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from google.protobuf.json_format import MessageToDict, ParseDict
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from turnpike.api.agent_runtime.v1 import policy_pb2 as pb
from turnpike.gateway.routes.approval_rules import ApprovalRules, rules_message
from turnpike.gateway.routes.shapes import Pattern, Reply, Request, Text
from turnpike.gateway.routes.text_filters import TextFilter, filter_messages

Patterns = Annotated[list[Pattern], Field(max_length=1000)]
Reason = Annotated[Text, Field(max_length=1000, description="`{tool}` stands for the tool.")]
Mode = Literal["", "DEFAULT", "BYPASS", "DONT_ASK"]
Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]

_TESTS = ("equals", "one_of", "pattern", "minimum", "maximum")


class Predicate(Request):
    """What must hold of one of a call's arguments: one test of it, or two bounds."""

    path: Annotated[
        Text,
        Field(
            max_length=1000, description="A JSON pointer, RFC 6901.", pattern="^(/([^~]|~[01])*)?$"
        ),
    ] = ""
    equals: Annotated[Any, Field(description="This very JSON value.")] = None
    one_of: Annotated[list[Any], Field(max_length=1000)] = Field(default=[])
    pattern: Annotated[Text, Field(max_length=1000, description="With `*` for anything.")] = ""
    minimum: Number | None = None
    maximum: Number | None = None

    @model_validator(mode="after")
    def _tests_one_thing(self) -> Self:
        tests = {
            "range" if each in ("minimum", "maximum") else each
            for each in _TESTS
            if each in self.model_fields_set
        }
        if len(tests) != 1:
            raise ValueError("takes one of equals, one_of, pattern, or bounds")
        return self

    @model_serializer(mode="wrap")
    def _as_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if name in self.model_fields_set}


Where = Annotated[list[Predicate], Field(max_length=20, description="All must hold.")]


class AgentRule(Request):
    """What becomes of calls of some tools."""

    tool: Pattern
    effect: Literal["ALLOW", "ASK", "DENY"]
    where: Where = Field(default=[])
    reason: Reason = ""


class TenantRule(Request):
    """What becomes of calls of some tools, whatever an agent says."""

    tool: Pattern
    effect: Literal["DENY", "ALWAYS_ASK"]
    where: Where = Field(default=[])
    reason: Reason = ""


class PersonRule(Request):
    """What becomes of calls of some tools in one's own turns."""

    tool: Pattern
    effect: Literal["ASK", "DENY"]
    where: Where = Field(default=[])
    reason: Reason = ""


class SkillRule(Request):
    """What becomes of calls of some tools once a skill is loaded."""

    tool: Pattern
    effect: Literal["ASK", "DENY"]
    where: Where = Field(default=[])
    reason: Reason = ""


class DefaultRule(Request):
    """What becomes of calls of some tools where an agent says nothing."""

    tool: Pattern
    effect: Literal["ALLOW", "ASK"]
    where: Where = Field(default=[])
    reason: Reason = ""


AnyRule = AgentRule | TenantRule | PersonRule | SkillRule | DefaultRule


class Policy(Request):
    """Which calls run, which a person is asked for, and which never do."""

    mode: Mode = ""
    allow: Patterns = Field(default=[])
    ask: Patterns = Field(default=[])
    deny: Patterns = Field(default=[])
    rules: Annotated[list[AgentRule], Field(max_length=1000)] = Field(default=[])
    reason: Reason = ""


class Defaults(Request):
    """What holds where an agent says nothing."""

    mode: Mode = ""
    allow: Patterns = Field(default=[])
    ask: Patterns = Field(default=[])
    rules: Annotated[list[DefaultRule], Field(max_length=1000)] = Field(default=[])
    reason: Reason = ""


class TenantPolicy(Request):
    """What no agent of the tenant overrides, and what holds where one says nothing."""

    enabled: bool = True
    deny: Patterns = Field(default=[])
    always_ask: Patterns = Field(default=[])
    rules: Annotated[list[TenantRule], Field(max_length=1000)] = Field(default=[])
    reason: Reason = ""
    defaults: Defaults = Defaults()
    approvals: ApprovalRules | None = Field(
        default=None, description="Who decides what agents ask for that say nothing of it."
    )
    text_filters: Annotated[list[TextFilter], Field(max_length=32)] = Field(
        default=[], description="What people write passes these, in this order."
    )


class PersonPolicy(Request):
    """What a person says of their own turns: it only tightens."""

    ask: Patterns = Field(default=[])
    deny: Patterns = Field(default=[])
    rules: Annotated[list[PersonRule], Field(max_length=1000)] = Field(default=[])
    reason: Reason = ""


class RuleReply(Reply):
    """What becomes of calls of some tools."""

    tool: str
    effect: str
    where: list[Predicate]
    reason: str


class PolicyReply(Reply):
    """Which calls run, which a person is asked for, and which never do."""

    mode: str
    allow: list[str]
    ask: list[str]
    deny: list[str]
    rules: list[RuleReply]
    reason: str


def policy_message(policy: Policy | Defaults) -> pb.Policy:
    """Returns an agent's policy, or a tenant's defaults, as the services know it."""
    return pb.Policy(
        mode=f"POLICY_MODE_{policy.mode or 'UNSPECIFIED'}",
        allow=policy.allow,
        ask=policy.ask,
        deny=policy.deny if isinstance(policy, Policy) else [],
        rules=rule_messages(policy.rules),
        reason=policy.reason,
    )


def tenant_message(policy: TenantPolicy) -> pb.TenantPolicy:
    """Returns a tenant's policy as the services know it."""
    return pb.TenantPolicy(
        disabled=not policy.enabled,
        deny=policy.deny,
        always_ask=policy.always_ask,
        rules=rule_messages(policy.rules),
        reason=policy.reason,
        defaults=policy_message(policy.defaults),
        approvals=rules_message(policy.approvals) if policy.approvals else None,
        text_filters=filter_messages(policy.text_filters),
    )


def person_message(policy: PersonPolicy) -> pb.PersonPolicy:
    """Returns a person's policy as the services know it."""
    return pb.PersonPolicy(
        ask=policy.ask, deny=policy.deny, rules=rule_messages(policy.rules), reason=policy.reason
    )


def policy_reply(policy: pb.Policy) -> PolicyReply:
    """Returns a policy for a reply."""
    mode = pb.PolicyMode.Name(policy.mode).removeprefix("POLICY_MODE_")
    return PolicyReply(
        mode="" if mode == "UNSPECIFIED" else mode,
        allow=list(policy.allow),
        ask=list(policy.ask),
        deny=list(policy.deny),
        rules=rule_replies(policy.rules),
        reason=policy.reason,
    )


def rule_replies(rules: Sequence[pb.Rule]) -> list[RuleReply]:
    """Returns rules for a reply."""
    return [
        RuleReply(
            tool=rule.tool,
            effect=pb.RuleEffect.Name(rule.effect).removeprefix("RULE_EFFECT_"),
            where=predicate_replies(rule.where),
            reason=rule.reason,
        )
        for rule in rules
    ]


def predicate_replies(where: Sequence[pb.Predicate]) -> list[Predicate]:
    """Returns predicates for a reply."""
    return [_predicate_reply(each) for each in where]


def rule_messages(rules: Sequence[AnyRule]) -> list[pb.Rule]:
    """Returns rules as the services know them."""
    return [
        pb.Rule(
            tool=rule.tool,
            effect=f"RULE_EFFECT_{rule.effect}",
            where=[_predicate(each) for each in rule.where],
            reason=rule.reason,
        )
        for rule in rules
    ]


def _predicate(predicate: Predicate) -> pb.Predicate:
    message = pb.Predicate(path=predicate.path)
    said = predicate.model_fields_set
    if "equals" in said:
        ParseDict(predicate.equals, message.equals)
        message.equals.SetInParent()
    elif "one_of" in said:
        values: Any = predicate.one_of
        ParseDict(values, message.one_of)
        message.one_of.SetInParent()
    elif "pattern" in said:
        message.pattern = predicate.pattern
    else:
        bounds = pb.NumberRange(minimum=predicate.minimum, maximum=predicate.maximum)
        message.range.CopyFrom(bounds)
    return message


def _predicate_reply(message: pb.Predicate) -> Predicate:
    which = message.WhichOneof("test")
    said: dict[str, Any] = {"path": message.path}
    if which == "equals":
        said["equals"] = _plain(MessageToDict(message.equals))
    elif which == "one_of":
        said["one_of"] = _plain(MessageToDict(message.one_of))
    elif which == "pattern":
        said["pattern"] = message.pattern
    else:
        bounds = message.range
        said |= {"minimum": bounds.minimum} if bounds.HasField("minimum") else {}
        said |= {"maximum": bounds.maximum} if bounds.HasField("maximum") else {}
    return Predicate(**said)


def _plain(value: Any) -> Any:
    """Returns a JSON value with whole numbers as they were given: 3, not 3.0."""
    if isinstance(value, dict):
        fields: dict[str, Any] = value
        return {name: _plain(each) for name, each in fields.items()}
    if isinstance(value, list):
        values: list[Any] = value
        return [_plain(each) for each in values]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value
