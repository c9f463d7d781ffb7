"""What a turn asks of a person, at a terminal: shown, and decided."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from turnpike.cli.conversation.frames import Event
from turnpike.cli.errors import CommandError

Decision = dict[str, Any]
Read = Callable[[str], str]
"""Asks for a line."""

_WORDS = {"y": "approve", "yes": "approve", "n": "reject", "no": "reject", "a": "approve_always"}


def lines_of(asked: Mapping[str, Any]) -> list[str]:
    """Returns what is asked, for a person to read."""
    lines: list[str] = []
    for call in asked["calls"]:
        arguments = json.dumps(call["arguments"], ensure_ascii=False)
        lines += [f"? {call['call_id']}  {call['name']} {arguments}", f"    {call['reason']}"]
        lines += [f"    {line}" for line in _questions(asked["questions"], call["call_id"])]
        lines.append(f"    may be: {', '.join(call['allowed'])}")
    return lines


def told(event: Event) -> list[str]:
    """Returns what an event says of a turn that waits for a person, or goes on after one."""
    if event.type == "approval.required":
        return lines_of(event.fields)
    if event.type == "approval.decided":
        return [f"decided: {', '.join(each['kind'] for each in event.fields['decisions'])}"]
    return [f"it waits to be let in: {event.fields['reason']}"]


def decisions_of(asked: Mapping[str, Any], said: Sequence[str]) -> list[Decision]:
    """Returns what words say: `CALL=KIND[:TEXT]` for one call, `KIND[:TEXT]` for all.

    Raises:
        CommandError: They name a call that is not asked about.
    """
    calls = [call["call_id"] for call in asked["calls"]]
    found: dict[str, Decision] = {}
    for word in said:
        name, equals, rest = word.partition("=")
        if equals and name in calls:
            found[name] = decision(name, rest)
        elif equals and ":" not in name:
            raise CommandError(f"{name!r} is not asked about: {', '.join(calls)}")
        else:
            found |= {each: decision(each, word) for each in calls if each not in found}
    return list(found.values())


def decision(call_id: str, said: str) -> Decision:
    """Returns what a person says of one call: a kind, and after a colon what goes with it.

    Raises:
        CommandError: Arguments or a scope are no JSON object.
    """
    kind, _, rest = said.partition(":")
    kind = _WORDS.get(kind.strip().lower(), kind.strip().lower().replace("-", "_"))
    made: Decision = {"call_id": call_id, "kind": kind}
    rest = rest.strip()
    if not rest:
        return made
    if kind in ("edit", "approve_always") or (kind == "answer" and rest.startswith("{")):
        return made | {"scope" if kind == "approve_always" else "arguments": _object(rest)}
    return made | {"feedback" if kind == "reject" else "text": rest}


def asked_at_terminal(asked: Mapping[str, Any], read: Read) -> list[Decision]:
    """Asks a person about each call in turn; an empty line asks again."""
    made: list[Decision] = []
    for call in asked["calls"]:
        said = ""
        while not said:
            said = read(f"{call['call_id']} [{'/'.join(call['allowed'])}][:text] ").strip()
        made.append(decision(call["call_id"], said))
    return made


def is_interactive() -> bool:
    """Says whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _questions(questions: Iterable[Mapping[str, Any]], call_id: str) -> list[str]:
    lines: list[str] = []
    for each in questions:
        if each["call_id"] != call_id:
            continue
        lines.append(f"{each['id']}: {each['text']}")
        lines += [f"  - {option}" for option in each["options"]]
        if each["url"]:
            lines.append(f"  go to {each['url']}")
    return lines


def _object(text: str) -> dict[str, Any]:
    try:
        read: Any = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise CommandError(f"{text!r} is no JSON object")
    found: dict[str, Any] = read
    return found
