"""What judging a call costs: `python -m tests.bench.policy`.

A thousand rules, a third of them with a predicate; and the same of an agent that allows the rest
and has loaded a skill, whose thousand rules ask and deny. Each figure is the median of many calls,
of a tool that was judged before and of one that was not.
"""

from statistics import median
from time import perf_counter_ns

from turnpike.agent_runtime.policy.judgement import ToolCall
from turnpike.agent_runtime.policy.model import (
    Comparison,
    Effect,
    Layer,
    Layers,
    Predicate,
    Rule,
    SkillRules,
)
from turnpike.agent_runtime.policy.rules import Rules, judge

RULES = 1000
CALLS = 2000
_EFFECTS = (Effect.ALLOW, Effect.ASK, Effect.DENY)
_ARGUMENTS = '{"path": "/home/ann/notes.txt", "amount": 12, "to": ["ann@home", "bob@home"]}'


def main() -> None:
    """Prints microseconds for each kind of rules."""
    for name, rules in {
        "tools by name": [_rule(f"c{i % 40}/tool_{i}", i) for i in range(RULES)],
        "connectors": [_rule(f"c{i}/*", i) for i in range(RULES)],
        "words anywhere": [_rule(f"*/*word_{i}*", i) for i in range(RULES)],
        "every tool, by its arguments": [_rule("*/*", 3 * i) for i in range(RULES)],
        "one tool, by its arguments": [_rule("c7/tool_7", 3 * i) for i in range(RULES)],
    }.items():
        tightening = tuple(rule for rule in rules * 2 if rule.effect is not Effect.ALLOW)[:RULES]
        skill = SkillRules(skill="skill", rules=tightening)
        allowing = Rule(tool="*/*", effect=Effect.ALLOW)
        for who, of_agent, skills in (
            ("", rules, ()),
            (", and of a skill", [*rules, allowing], (skill,)),
        ):
            began = perf_counter_ns()
            compiled = Rules(Layers(agent=Layer(rules=tuple(of_agent)), skills=skills))
            compiling = (perf_counter_ns() - began) / 1e6
            known = _judging(compiled, ["c7/tool_7"] * CALLS)
            new = _judging(compiled, [f"c7/tool_{i}" for i in range(CALLS)])
            print(
                f"{RULES} rules of {name}{who}: {known:.1f} us a call, {new:.1f} us of a tool not"
                f" judged before; compiled in {compiling:.1f} ms"
            )


def _rule(tool: str, number: int) -> Rule:
    where = Predicate(path="/path", test=Comparison.PATTERN, operand=f"/etc/{number}/*")
    effect = _EFFECTS[number % 3]
    return Rule(tool=tool, effect=effect, where=() if number % 3 else (where,))


def _judging(rules: Rules, tools: list[str]) -> float:
    spent: list[int] = []
    for tool in tools:
        call = ToolCall(tool=tool, arguments=_ARGUMENTS)
        began = perf_counter_ns()
        judge(rules, call)
        spent.append(perf_counter_ns() - began)
    return median(spent) / 1e3


if __name__ == "__main__":
    main()
