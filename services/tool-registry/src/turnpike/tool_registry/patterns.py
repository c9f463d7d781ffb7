"""Patterns of tool names: `connector/tool`, where `*` stands for anything."""

from collections.abc import Callable, Sequence


def matcher_of(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Returns what says whether a name matches one of `patterns`; none match every name."""
    if not patterns:
        return lambda _name: True
    parts = [pattern.split("*") for pattern in patterns]
    return lambda name: any(_matches(name, each) for each in parts)


def may_match_connector(patterns: Sequence[str], connector: str) -> bool:
    """Says whether a tool of `connector` could match one of `patterns`."""
    return matcher_of([pattern.partition("/")[0] for pattern in patterns])(connector)


def names_connector(patterns: Sequence[str], connector: str) -> bool:
    """Says whether one of `patterns` names a connector outright."""
    return any(pattern.partition("/")[0] == connector for pattern in patterns)


def _matches(name: str, parts: list[str]) -> bool:
    # Not a regular expression: a pattern of many stars would take for ever.
    first, *others = parts
    if not others:
        return name == first
    *middle, last = others
    if len(name) < len(first) + len(last):
        return False
    if not (name.startswith(first) and name.endswith(last)):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
