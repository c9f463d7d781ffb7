"""What documents may be called, and what is said where they may not."""

import re
from typing import Annotated

from pydantic import AfterValidator


class _Form:
    """What a name looks like, for programs and in words."""

    def __init__(self, pattern: str, words: str) -> None:
        self._pattern = re.compile(pattern)
        self._words = words

    def __call__(self, name: str) -> str:
        """Returns a name that has the form; else raises `ValueError`."""
        if self._pattern.fullmatch(name) is None:
            raise ValueError(self._words)
        return name


_BEGINS = "must begin with a small letter or a digit, and go on with at most 62 of those"

Name = Annotated[
    str, AfterValidator(_Form("[a-z0-9][a-z0-9._-]{0,62}", f"{_BEGINS}, '.', '_' and '-'"))
]
ConnectorName = Annotated[
    str, AfterValidator(_Form("[a-z0-9][a-z0-9.-]{0,62}", f"{_BEGINS}, '.' and '-'"))
]
CollectionName = Annotated[
    str, AfterValidator(_Form("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", f"{_BEGINS}, and '-' within"))
]
ToolName = Annotated[
    str,
    AfterValidator(
        _Form(
            r"[a-z0-9][a-z0-9.-]{0,62}/[^\s?#%]{1,200}", "must be `connector/tool`, a tool's name"
        )
    ),
]
VariableName = Annotated[
    str,
    AfterValidator(
        _Form(
            "[A-Za-z_][A-Za-z0-9_]{0,63}",
            "must begin with a letter or '_', and go on with at most 63 of those and digits",
        )
    ),
]
BudgetName = Annotated[
    str,
    AfterValidator(
        _Form(
            r"(tenant|(principal|key|agent)\.[A-Za-z0-9._-]{1,63})\.(day|month|total)",
            "must say whose and when: `tenant`, `principal.ID`, `key.ID` or `agent.NAME`, then"
            " `.day`, `.month` or `.total`",
        )
    ),
]
