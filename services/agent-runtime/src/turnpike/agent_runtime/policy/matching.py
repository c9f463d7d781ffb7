"""Whether a rule matches a call: by the tool's name, and by values among its arguments."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from turnpike.agent_runtime.policy.model import Comparison, Predicate

Matches = Callable[[Any], bool]

_MISSING: Final = object()


class MalformedError(ValueError):
    """Arguments of which one cannot say what a tool will read in them."""


class Pattern:
    """A text in which `*` stands for anything.

    Not a regular expression: one of many stars would take for ever.
    """

    def __init__(self, text: str) -> None:
        self._first, *others = text.split("*")
        self._is_exact = not others
        self._middle, self._last = (others[:-1], others[-1]) if others else ([], "")
        self.words = [word for word in (self._first, *others) if word]
        """What stands between its stars: a text that it matches has all of them."""

    def matches(self, text: str) -> bool:
        """Says whether it matches the whole of a text."""
        if self._is_exact:
            return text == self._first
        position, end = len(self._first), len(text) - len(self._last)
        if end < position or not text.startswith(self._first) or not text.endswith(self._last):
            return False
        for part in self._middle:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True


class Arguments:
    """A call's arguments, read when a predicate first asks for them."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._read: Any = _MISSING
        self._found: dict[str, Any] = {}

    def at(self, path: tuple[str, ...], pointer: str) -> Any:
        """Returns the value that a pointer names, or something that no predicate holds of.

        Raises:
            MalformedError: They are no JSON, or name something twice.
        """
        if self._read is _MISSING:
            self._read = _read(self._document)
        if (value := self._found.get(pointer, self)) is self:
            value = self._found[pointer] = _resolved(self._read, path)
        return value


class Condition:
    """A predicate, made ready."""

    def __init__(self, predicate: Predicate) -> None:
        self.pointer = predicate.path
        self.path = path_of(predicate.path)
        self.prefix = _prefix(predicate)
        """What a text must begin with for it to hold; None when that is not known."""

        self._matches = _TESTS[predicate.test](predicate.operand)

    def holds(self, arguments: Arguments) -> bool:
        """Says whether it holds; raises `MalformedError`."""
        value = arguments.at(self.path, self.pointer)
        return value is not _MISSING and self._matches(value)


def _prefix(predicate: Predicate) -> str | None:
    operand = predicate.operand
    if predicate.test is Comparison.EQUALS and isinstance(operand, str):
        return operand
    return operand.partition("*")[0] or None if predicate.test is Comparison.PATTERN else None


def path_of(pointer: str) -> tuple[str, ...]:
    """Returns a JSON pointer's steps.

    Raises:
        ValueError: It is none.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError("is no JSON pointer: it does not begin with /")
    steps = pointer[1:].split("/")
    if any("~" in step.replace("~0", "").replace("~1", "") for step in steps):
        raise ValueError("is no JSON pointer: ~ stands before 0 or 1 alone")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def same(one: Any, other: Any) -> bool:
    """Says whether two JSON values are equal: 1 is 1.0, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def _read(document: str) -> Any:
    try:
        return json.loads(document or "{}", object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the arguments cannot be read in one way alone") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a name given twice a tool may read either.
    read = dict(pairs)
    if len(read) < len(pairs):
        raise MalformedError("a name is there twice")
    return read


def _no_constant(name: str) -> None:
    raise MalformedError(f"{name} is no JSON")


def _resolved(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step, _MISSING)
        elif isinstance(value, list):
            value = _element(value, step)
        else:
            return _MISSING
    return value


def _element(values: Sequence[Any], step: str) -> Any:
    is_index = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0")
    # Nobody has so many elements that their number has a tenth digit.
    index = int(step) if is_index and len(step) < 10 else len(values)
    return values[index] if index < len(values) else _MISSING


def _equals(operand: Any) -> Matches:
    return lambda value: same(value, operand)


def _in(operand: Sequence[Any]) -> Matches:
    texts = frozenset(each for each in operand if isinstance(each, str))
    others = [each for each in operand if not isinstance(each, str)]
    return lambda value: (
        value in texts if isinstance(value, str) else any(same(value, each) for each in others)
    )


def _pattern(operand: str) -> Matches:
    pattern = Pattern(operand)
    return lambda value: isinstance(value, str) and pattern.matches(value)


def _range(operand: tuple[float | None, float | None]) -> Matches:
    least, most = operand

    def within(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (least is None or value >= least) and (most is None or value <= most)

    return within


_TESTS: dict[Comparison, Callable[[Any], Matches]] = {
    Comparison.EQUALS: _equals,
    Comparison.IN: _in,
    Comparison.PATTERN: _pattern,
    Comparison.RANGE: _range,
}
