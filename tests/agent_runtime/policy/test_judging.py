"""What becomes of a call: every combination of what may be said, and each way to match."""

import random
import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from turnpike.agent_runtime.policy.judgement import Grant, Kind, Source, ToolCall, Verdict
from turnpike.agent_runtime.policy.model import (
    Comparison,
    Effect,
    Layer,
    Layers,
    Mode,
    Predicate,
    Rule,
    SkillRules,
)
from turnpike.agent_runtime.policy.rules import Rules, judge
from turnpike.agent_runtime.tools.listed import to_tool
from turnpike.api.tool_registry.v1 import tool_pb2

TOOL = "mail/send"
CALL = ToolCall(tool=TOOL, arguments='{"to": "ann@home", "copies": 3}', digest="sha256:now")


def layer(*effects: Effect | None) -> Layer:
    return Layer(rules=tuple(Rule(tool="mail/*", effect=each) for each in effects if each))


def grants(which: str) -> list[Grant]:
    held = {"none": [], "this": ["sha256:now"], "changed": ["sha256:before"]}[which]
    return [Grant(id="g", tool=TOOL, digest=digest) for digest in held]


ANNOTATIONS = {
    "none": tool_pb2.Tool(name=TOOL, digest=CALL.digest, annotations_trusted=True),
    "reads": tool_pb2.Tool(
        name=TOOL,
        digest=CALL.digest,
        annotations='{"readOnlyHint": true}',
        annotations_trusted=True,
    ),
    "writes": tool_pb2.Tool(
        name=TOOL,
        digest=CALL.digest,
        annotations='{"readOnlyHint": false, "title": "true"}',
        annotations_trusted=True,
    ),
    "says so, and is not trusted": tool_pb2.Tool(
        name=TOOL, digest=CALL.digest, annotations='{"readOnlyHint": true}'
    ),
}
"""What a tool says of itself, as the registry lists it."""


def annotated(which: str) -> ToolCall:
    tool = to_tool(ANNOTATIONS[which])
    return ToolCall(tool=tool.name, arguments="{}", digest=tool.digest, read_only=tool.read_only)


def specified(
    *,
    on: bool,
    mode: Mode,
    tenant: Effect | None,
    defaults: Effect | None,
    agent: Effect | None,
    skill: Effect | None,
    person: Effect | None,
    annotations: str,
    granted: str,
) -> tuple[Kind, bool]:
    """Says what the documentation does, as a table, and whether it may be granted for good."""
    deny, always = Effect.DENY, Effect.ALWAYS_ASK
    asks = Kind.REJECT if mode is Mode.DONT_ASK else Kind.ASK
    said = agent or defaults or (Effect.ALLOW if annotations == "reads" else Effect.ASK)
    table = [
        (not on, Kind.ALLOW),
        (deny in (tenant, defaults, agent, skill, person), Kind.DENY),
        (tenant is always, asks),
        (mode is Mode.BYPASS and skill is person is None, Kind.ALLOW),
        (granted == "this", Kind.ALLOW),
        (Effect.ASK in (skill, person), asks),
        (said is Effect.ALLOW, Kind.ALLOW),
        (True, asks),
    ]
    kind = next(kind for condition, kind in table if condition)
    return kind, kind is Kind.ASK and tenant is not always


def test_r29_every_combination_is_what_the_specification_says():
    axes: dict[str, list[Any]] = {
        "on": [True, False],
        "mode": [Mode.DEFAULT, Mode.BYPASS, Mode.DONT_ASK],
        "tenant": [None, Effect.DENY, Effect.ALWAYS_ASK],
        # A tenant cannot say DENY here; if it stood here all the same, it would be a deny.
        "defaults": [None, Effect.ALLOW, Effect.ASK, Effect.DENY],
        "agent": [None, Effect.ALLOW, Effect.ASK, Effect.DENY],
        "skill": [None, Effect.ASK, Effect.DENY],
        "person": [None, Effect.ASK, Effect.DENY],
    }
    calls = [(each, annotated(each)) for each in ANNOTATIONS]
    held = [(each, grants(each)) for each in ("none", "this", "changed")]
    wrong: list[tuple[dict[str, Any], Verdict]] = []
    judged = 0
    for values in product(*axes.values()):
        case = dict(zip(axes, values, strict=True))
        rules = Rules(
            Layers(
                enabled=case["on"],
                mode=case["mode"],
                tenant=layer(case["tenant"]),
                defaults=layer(case["defaults"]),
                agent=layer(case["agent"]),
                skills=(SkillRules(skill="s", rules=layer(case["skill"]).rules),),
                person=layer(case["person"]),
            )
        )
        for (annotations, call), (granted, standing) in product(calls, held):
            verdict = judge(rules, call, standing)
            case |= {"annotations": annotations, "granted": granted}
            if (verdict.kind, "approve_always" in verdict.decisions) != specified(**case):
                wrong.append((dict(case), verdict))
            judged += 1

    assert judged == 31_104
    assert wrong == []


@pytest.mark.parametrize("other", [Effect.ALLOW, Effect.ASK, Effect.ALWAYS_ASK], ids=str)
@pytest.mark.parametrize("where", ["tenant", "agent", "skill", "person"])
@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value or "UNSAID")
def test_r45_nothing_overrides_a_deny(where: str, other: Effect, mode: Mode):
    """Of whichever layer, before or after whatever else the layer says, in every mode."""
    around = Layer(
        rules=(
            Rule(tool="*/*", effect=other),
            Rule(tool=TOOL, effect=Effect.DENY, reason="{tool} is for {people}"),
            Rule(tool=TOOL, effect=other),
        )
    )
    allowing = Layers(agent=layer(Effect.ALLOW), mode=mode)
    denying = {
        "tenant": replace(allowing, tenant=around),
        "agent": replace(allowing, agent=around),
        "skill": replace(allowing, skills=(SkillRules(skill="s", rules=around.rules),)),
        "person": replace(allowing, person=around),
    }

    verdict = judge(Rules(denying[where]), CALL, grants("this"))

    assert verdict.kind is Kind.DENY and verdict.source is Source[where.upper()]
    who = "the skill 's'" if where == "skill" else "policy"
    assert verdict.reason == f"{who} denies 'mail/send': mail/send is for {{people}}"
    assert verdict.skill == ("s" if where == "skill" else "")
    assert (verdict.rule, verdict.decisions) == (TOOL, ())


def test_within_a_layer_the_last_rule_that_matches_counts():
    ask, allow = Effect.ASK, Effect.ALLOW
    layers = [
        Layer(rules=(Rule(tool="*", effect=ask), Rule(tool="mail/*", effect=allow))),
        Layer(rules=(Rule(tool="mail/*", effect=allow), Rule(tool="*", effect=ask))),
        Layer(rules=(Rule(tool=TOOL, effect=allow), Rule(tool="m*d", effect=ask))),
        Layer(rules=(Rule(tool="m*d", effect=ask), Rule(tool=TOOL, effect=allow))),
        Layer(rules=(Rule(tool="*d", effect=ask), Rule(tool="mail/recv", effect=allow))),
    ]

    kinds = [judge(Rules(Layers(agent=each)), CALL).kind for each in layers]

    assert kinds == [Kind.ALLOW, Kind.ASK, Kind.ASK, Kind.ALLOW, Kind.ASK]


@pytest.mark.parametrize(
    ("path", "test", "operand", "arguments", "holds"),
    [
        ("/to", Comparison.EQUALS, "ann", '{"to": "ann"}', True),
        ("/to", Comparison.EQUALS, "ann", '{"to": "Ann"}', False),
        ("/to", Comparison.EQUALS, "ann", '{"other": "ann"}', False),
        ("/n", Comparison.EQUALS, 1, '{"n": 1.0}', True),
        ("/n", Comparison.EQUALS, 1, '{"n": true}', False),
        ("/n", Comparison.EQUALS, None, '{"n": null}', True),
        ("/n", Comparison.EQUALS, None, "{}", False),
        ("", Comparison.EQUALS, {"a": [1, {"b": False}]}, '{"a":[1,{"b":false}]}', True),
        ("", Comparison.EQUALS, {"a": [1, {"b": False}]}, '{"a":[1,{"b":0}]}', False),
        ("/a/1/b", Comparison.EQUALS, 2, '{"a": [0, {"b": 2}]}', True),
        ("/a/01", Comparison.EQUALS, 2, '{"a": [0, 2]}', False),
        ("/a/2", Comparison.EQUALS, 2, '{"a": [0, 2]}', False),
        ("/a/-", Comparison.EQUALS, 2, '{"a": [0, 2]}', False),
        ("/a/99999999999999", Comparison.EQUALS, 2, '{"a": [0, 2]}', False),
        ("/x~1y/~0", Comparison.EQUALS, 2, '{"x/y": {"~": 2}}', True),
        ("/to", Comparison.IN, ["ann", 3], '{"to": "ann"}', True),
        ("/to", Comparison.IN, ["ann", 3], '{"to": 3}', True),
        ("/to", Comparison.IN, ["ann", 1], '{"to": true}', False),
        ("/to", Comparison.PATTERN, "*@home", '{"to": "ann@home"}', True),
        ("/to", Comparison.PATTERN, "*@home", '{"to": "ann@home.evil"}', False),
        ("/to", Comparison.PATTERN, "a*n@*", '{"to": "an@"}', True),
        ("/to", Comparison.PATTERN, "an*n@", '{"to": "an@"}', False),
        ("/to", Comparison.PATTERN, "*", '{"to": 3}', False),
        ("/n", Comparison.RANGE, (1, 10), '{"n": 10}', True),
        ("/n", Comparison.RANGE, (1, 10), '{"n": 10.5}', False),
        ("/n", Comparison.RANGE, (1, None), '{"n": 1e300}', True),
        ("/n", Comparison.RANGE, (None, 10), '{"n": -5}', True),
        ("/n", Comparison.RANGE, (0, 1), '{"n": true}', False),
        ("/n", Comparison.RANGE, (0, 9), '{"n": "5"}', False),
    ],
)
def test_r29_a_rule_may_ask_what_the_arguments_are(
    path: str, test: Comparison, operand: Any, arguments: str, holds: bool
):
    where = (Predicate(path=path, test=test, operand=operand),)
    allow = Layer(rules=(Rule(tool=TOOL, effect=Effect.ALLOW, where=where),))
    call = ToolCall(tool=TOOL, arguments=arguments, digest="d")
    granted = [Grant(id="g", tool=TOOL, digest="d", where=where)]
    wanted = Kind.ALLOW if holds else Kind.ASK

    assert judge(Rules(Layers(agent=allow)), call).kind is wanted
    assert judge(Rules(Layers()), call, granted).kind is wanted


@pytest.mark.parametrize(
    "arguments",
    [
        "{",
        "[1] x",
        '{"n": NaN}',
        '{"to": "eve", "to": "ann"}',
        '{"a": {"b": 1, "b": 1}}',
        "[" * 100_000,
    ],
    ids=["cut", "more", "nan", "twice", "twice-within", "deep"],
)
def test_arguments_that_cannot_be_read_in_one_way_alone_never_let_a_call_run(arguments: str):
    """Who denies by an argument is not got round by writing the argument twice."""
    where = (Predicate(path="/to", test=Comparison.EQUALS, operand="ann"),)
    call = ToolCall(tool=TOOL, arguments=arguments, digest="d")

    def of(effect: Effect) -> Kind:
        everything = Rule(tool="*/*", effect=Effect.ALLOW)
        rules = Layer(rules=(everything, Rule(tool=TOOL, effect=effect, where=where)))
        return judge(Rules(Layers(agent=rules)), call).kind

    granted = [Grant(id="g", tool=TOOL, digest="d", where=where)]
    assert of(Effect.DENY) is Kind.DENY
    assert of(Effect.ASK) is Kind.ASK
    assert judge(Rules(Layers(agent=Layer(rules=(allow_if(where),)))), call).kind is Kind.ASK
    assert judge(Rules(Layers()), call, granted).kind is Kind.ASK


def allow_if(where: tuple[Predicate, ...]) -> Rule:
    return Rule(tool=TOOL, effect=Effect.ALLOW, where=where)


@pytest.mark.parametrize(
    ("grant", "call", "kind"),
    [
        (Grant(id="g", tool="mail/send", digest="d"), ("mail/send", "d"), Kind.ALLOW),
        (Grant(id="g", tool="mail/send", digest="d"), ("mail/send", "e"), Kind.ASK),
        (Grant(id="g", tool="mail/send", digest="d"), ("post/send", "d"), Kind.ASK),
        (Grant(id="g", tool="mail/*", digest="d"), ("mail/send", "d"), Kind.ASK),
        (Grant(id="g", tool="*", digest="d"), ("mail/send", "d"), Kind.ASK),
    ],
)
def test_r30_a_grant_is_for_one_tool_of_one_connector_as_it_is_defined(
    grant: Grant, call: tuple[str, str], kind: Kind
):
    tool, digest = call

    judged = ToolCall(tool=tool, arguments="{}", digest=digest)
    verdict = judge(Rules(Layers()), judged, [grant])

    assert verdict.kind is kind
    if kind is Kind.ALLOW:
        assert (verdict.source, verdict.rule) == (Source.GRANT, "g")


@pytest.mark.parametrize(
    ("call", "offered"),
    [
        (CALL, True),
        (ToolCall(tool="ask/person", arguments="{}", digest="d", grantable=False), False),
        (ToolCall(tool="gone/tool", arguments="{}"), False),
    ],
    ids=["a-connector's", "built-in", "undefined"],
)
def test_h2_approving_for_good_is_offered_only_where_it_can_be_kept(call: ToolCall, offered: bool):
    verdict = judge(Rules(Layers()), call)

    assert verdict.decisions[:4] == ("approve", "edit", "respond", "reject")
    assert ("approve_always" in verdict.decisions) is offered


def test_a_pattern_of_many_stars_takes_no_longer_than_its_length():
    """A regular expression would take for ever, and with it the whole replica."""
    rule = Rule(tool="*a" * 60 + "*b", effect=Effect.DENY)
    call = ToolCall(tool="a" * 128, arguments="{}")

    assert judge(Rules(Layers(agent=Layer(rules=(rule,)))), call).kind is Kind.ASK


def test_of_many_rules_about_one_tool_the_one_that_counts_is_found():
    """By what arguments begin with, and otherwise exactly as if each rule were tried in turn."""
    texts = ["", "a", "ab", "abc", "b*", "a*", "*", "ab*c", "*c"]
    tests = [(Comparison.EQUALS, each) for each in texts]
    tests += [(Comparison.PATTERN, each) for each in texts]
    tests += [(Comparison.IN, ("a", "abc")), (Comparison.RANGE, (1, 2))]
    effects = [Effect.ALLOW, Effect.ASK, Effect.DENY]
    rules = [
        Rule(tool=tool, effect=effects[number % 3], where=where, reason=str(number))
        for number, (tool, (test, operand), path, more) in enumerate(
            product(["mail/*", TOOL], tests, ["/x", "/y"], [False, True])
        )
        for where in [
            (
                Predicate(path=path, test=test, operand=operand),
                *([Predicate(path="/y", test=Comparison.PATTERN, operand="a*")] * more),
            )
        ]
    ]
    values = ['""', '"a"', '"ab"', '"abc"', '"abxc"', '"b*"', "1", "null"]
    documents = [f'{{"x": {x}, "y": {y}}}' for x, y in product(values, values)] + ["{}", "{"]

    def alone(rule: Rule) -> set[str]:
        only = Rules(Layers(agent=Layer(rules=(rule,))))
        calls = {each: ToolCall(tool=TOOL, arguments=each) for each in documents}
        return {each for each, call in calls.items() if judge(only, call).source is Source.AGENT}

    applies = {rule.reason: alone(rule) for rule in rules}
    for start in range(0, len(rules), 20):
        some = rules[start:] + rules[:start]
        compiled = Rules(Layers(agent=Layer(rules=tuple(some))))
        for document in documents[start % 7 :: 7]:
            matching = [rule for rule in some if document in applies[rule.reason]]
            denying = [rule for rule in matching if rule.effect is Effect.DENY]
            last = (denying or matching or [None])[-1]
            verdict = judge(compiled, ToolCall(tool=TOOL, arguments=document))
            assert verdict.reason.rpartition(": ")[2] == (last.reason if last else verdict.reason)


def test_rules_of_any_patterns_are_found_as_if_each_was_tried():
    """The index finds what a look at each rule, the last one first, finds."""
    dice = random.Random(6)  # the same each time
    words = ["", "a", "ab", "abc", "send", "send_all", "mail", "/", "é", "."]

    def pattern() -> str:
        return "".join(dice.choice([*words, "*", "*", "/"]) for _ in range(dice.randint(1, 6)))

    for _ in range(20):
        patterns = [pattern() for _ in range(40)]
        rules = [
            Rule(tool=each, effect=Effect.ALLOW, reason=str(i)) for i, each in enumerate(patterns)
        ]
        expressions = [re.compile(re.escape(each).replace(r"\*", ".*")) for each in patterns]
        compiled = Rules(Layers(agent=Layer(rules=tuple(rules))))
        for tool in [pattern().replace("*", dice.choice(words)) for _ in range(20)]:
            last = max((i for i in range(40) if expressions[i].fullmatch(tool)), default=None)
            verdict = judge(compiled, ToolCall(tool=tool, arguments="{}"))
            assert verdict.reason.partition(": ")[2] == ("" if last is None else str(last))
            assert (verdict.source is Source.AGENT) == (last is not None)
