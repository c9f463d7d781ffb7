"""`${var.NAME}` in a text: which variables it names, and what it says with their values.

`$${var.NAME}` stands for the text itself. Anything else with a `$` is no template: a text
for a shell, say.
"""

import re
from collections.abc import Callable, Mapping

_OPENING = "${var."
_REFERENCE = re.compile(r"(\$?)\$\{var\.([^{}]*)\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class NameInvalidError(ValueError):
    """Something that begins like a reference to a variable is none."""


def names_in(text: str) -> frozenset[str]:
    """Returns the variables that a text names, or raises `NameInvalidError`."""
    if _OPENING not in text:
        return frozenset()
    found = [match for match in _REFERENCE.finditer(text) if not match[1]]
    for match in found:
        if not NAME.fullmatch(match[2]):
            raise NameInvalidError(f"{match[2]!r} is no name of a variable")
    if text.count(_OPENING) != sum(1 for _ in _REFERENCE.finditer(text)):
        raise NameInvalidError(f"{_OPENING!r} is not closed by a brace")
    return frozenset(match[2] for match in found)


def fill(text: str, values: Mapping[str, str], spell: Callable[[str], str] = str) -> str:
    """Returns a text with the values of all that it names, each as `spell` writes it."""
    if _OPENING not in text:
        return text
    return _REFERENCE.sub(lambda match: match[0][1:] if match[1] else spell(values[match[2]]), text)
