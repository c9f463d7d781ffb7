"""What is wrong with a set-up, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnpike.cli.errors import CommandError


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong; `document` counts from 1, `line` too, 0 is unknown."""

    file: str
    document: int
    field: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        """Returns it as one line for people."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(
            part
            for part in (
                place,
                f"document {self.document}" if self.document else "",
                self.field,
                self.message,
            )
            if part
        )


class MistakesError(CommandError):
    """A set-up that is wrong; nothing was changed."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        lines = "\n".join(str(mistake) for mistake in mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{lines}\n{count}; nothing was changed", reason="INVALID_ARGUMENT")
        self.mistakes = mistakes
