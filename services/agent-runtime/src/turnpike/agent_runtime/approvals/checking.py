"""Whether decisions fit what was asked, whatever state the approval is in; without any I/O."""

import json
from collections.abc import Sequence
from typing import Any

from turnpike.agent_runtime.approvals.model import Approval, Decision, Item, Kind, Question, Subject
from turnpike.agent_runtime.approvals.schemas import parse, problems
from turnpike.rpc.errors import FieldViolation, InvalidArgumentError

_MOST_ANSWER = 16_000
_MOST_LISTED = 50


def check(approval: Approval, decisions: Sequence[Decision]) -> None:
    """Returns if decisions are what an approval asks for.

    Raises:
        InvalidArgumentError: They are not; it names everything that is wrong.
    """
    found: list[FieldViolation] = []
    seen: set[str] = set()
    for index, decision in enumerate(decisions):
        path = f"decisions[{index}]"
        item = approval.item(decision.call_id)
        if decision.call_id in seen:
            found.append((f"{path}.call_id", f"{decision.call_id!r} is decided twice"))
        elif item is None:
            found.append((f"{path}.call_id", f"{decision.call_id!r} is not asked about"))
        else:
            found += _wrong(path, item, decision)
        seen.add(decision.call_id)
    missing = [each.call_id for each in approval.items if each.call_id not in seen]
    if missing and not approval.rules.incremental:
        found += [("decisions", f"{each!r} is not decided") for each in missing]
    if found:
        first, *others = found[:_MOST_LISTED]
        raise InvalidArgumentError(*first, *others)


def answers_of(item: Item, decision: Decision) -> dict[str, Any]:
    """Returns what is answered, by question; of an answer that was checked."""
    if decision.arguments:
        return parse(decision.arguments)
    asked = [each for each in item.questions if not each.action]
    if not asked:
        return {}
    return {asked[0].id: _as_asked(asked[0], decision.text)}


def _wrong(path: str, item: Item, decision: Decision) -> list[FieldViolation]:
    # Standing approval where it is not offered is approval in this turn alone.
    standing = decision.kind == Kind.APPROVE_ALWAYS and Kind.APPROVE in item.kinds
    if decision.kind not in item.kinds and not standing:
        allowed = ", ".join(item.kinds)
        return [(f"{path}.kind", f"{decision.kind!r} is not allowed here: {allowed}")]
    wrong = _superfluous(path, decision)
    match decision.kind:
        case Kind.EDIT:
            wrong += _wrong_edit(path, item, decision)
        case Kind.RESPOND if not decision.text.strip():
            wrong.append((f"{path}.text", "is needed"))
        case Kind.ANSWER:
            wrong += _wrong_answer(path, item, decision)
        case Kind.APPROVE_ALWAYS if decision.scope:
            wrong += _wrong_scope(f"{path}.scope", decision.scope)
        case _:
            pass
    return wrong


def _wrong_scope(field: str, scope: str) -> list[FieldViolation]:
    value, wrong = _object(field, scope)
    if not wrong and all(each == "*" for each in value.values()):
        return [(field, "stands for everything: name no scope for that")]
    return wrong


_TAKES = {
    "arguments": {Kind.EDIT, Kind.ANSWER},
    "text": {Kind.RESPOND, Kind.ANSWER, Kind.DONE, Kind.NOT_DONE},
    "feedback": {Kind.REJECT},
    "scope": {Kind.APPROVE_ALWAYS},
    "expires": {Kind.APPROVE_ALWAYS},
}


def _superfluous(path: str, decision: Decision) -> list[FieldViolation]:
    return [
        (f"{path}.{name}", f"does not go with {decision.kind!r}")
        for name, kinds in _TAKES.items()
        if getattr(decision, name) and decision.kind not in kinds
    ]


def _wrong_edit(path: str, item: Item, decision: Decision) -> list[FieldViolation]:
    field = f"{path}.arguments"
    value, wrong = _object(field, decision.arguments)
    return wrong or [(field, each) for each in problems(item.schema, value)]


def _wrong_answer(path: str, item: Item, decision: Decision) -> list[FieldViolation]:
    if decision.arguments and decision.text:
        return [(f"{path}.text", "the answer is given twice")]
    asked = {each.id: each for each in item.questions if not each.action}
    if not decision.arguments:
        if len(asked) > 1:
            return [(f"{path}.arguments", f"an answer to each is needed: {', '.join(asked)}")]
        return [
            (f"{path}.text", each)
            for question in asked.values()
            for each in _unfit(question, _as_asked(question, decision.text))
        ]
    field = f"{path}.arguments"
    value, wrong = _object(field, decision.arguments)
    if wrong:
        return wrong
    wrong += [(f"{field}.{each}", "is not asked") for each in value if each not in asked]
    for name, question in asked.items():
        if name not in value:
            wrong.append((f"{field}.{name}", "is needed"))
        else:
            wrong += [(f"{field}.{name}", each) for each in _unfit(question, value[name])]
    return wrong


def _as_asked(question: Question, text: str) -> Any:
    """Returns a text as the answer to a question: of a schema it is read as JSON."""
    if question.schema:
        try:
            return parse(text)
        except ValueError:
            return text
    return [text] if question.multiple else text


def _unfit(question: Question, value: Any) -> list[str]:
    if len(json.dumps(value)) > _MOST_ANSWER:
        return [f"is longer than {_MOST_ANSWER} characters"]
    if question.schema:
        return problems(question.schema, value)
    if question.options:
        return _unfit_choice(question, value)
    if not isinstance(value, str) or not value.strip():
        return ["a text is needed"]
    return []


def _unfit_choice(question: Question, value: Any) -> list[str]:
    chosen = value if question.multiple else [value]
    if not isinstance(chosen, list) or not chosen:
        return ["a list of what is chosen is needed"]
    if any(each not in question.options for each in chosen):
        return [f"is none of {', '.join(question.options)}"]
    return []


def _object(field: str, document: str) -> tuple[dict[str, Any], list[FieldViolation]]:
    try:
        value = parse(document)
    except ValueError as error:
        return {}, [(field, f"is no JSON: {error}")]
    if not isinstance(value, dict):
        return {}, [(field, "is no JSON object")]
    return value, []


def is_answerable(item: Item) -> bool:
    """Says whether a call asks questions, rather than to be run."""
    return item.subject in (Subject.QUESTION, Subject.NEED)
