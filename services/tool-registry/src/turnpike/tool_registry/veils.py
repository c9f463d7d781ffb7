"""Keeping secrets out of what is kept, shown and logged."""

import json
from collections.abc import Mapping

import orjson

_LEAST = 6
"""What is shorter is no secret, and stands in too many texts."""


class Veil:
    """What stands in for secrets in a text; without any, texts stay as they are."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        """Takes the secrets by their names."""
        spelled = {
            form: f"[secret {name}]"
            for name, value in (secrets or {}).items()
            if len(value) >= _LEAST
            for form in _forms(value)
        }
        # The longest first: one secret may begin like another.
        self._spelled = sorted(spelled.items(), key=lambda each: -len(each[0]))

    def over(self, text: str) -> str:
        """Returns a text, JSON or plain, without the secrets."""
        for form, stand_in in self._spelled:
            text = text.replace(form, stand_in)
        return text

    def over_error(self, error: Exception) -> None:
        """Takes the secrets out of what an error says."""
        error.args = tuple(self.over(str(each)) for each in error.args)


def _forms(value: str) -> set[str]:
    # As it is, and as the two ways of writing JSON have it.
    return {value, orjson.dumps(value).decode()[1:-1], json.dumps(value)[1:-1]}


NONE = Veil()
