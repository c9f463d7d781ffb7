"""What a program of many decisions came to."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """Figures for people to read, and what did not hold."""

    figures: dict[str, object] = field(default_factory=dict[str, object])
    faults: list[str] = field(default_factory=list[str])

    def line(self) -> str:
        """Returns all of it in a line."""
        shown = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        return f"{shown}; {len(self.faults)} faults"
