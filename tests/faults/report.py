"""What a run of trials came to, as people and CI read it."""

from dataclasses import dataclass, field

from tests.faults.trials import Result

WORDS = {
    "lost": ("after", "no end", "never closed", "nobody owns"),
    "repeated": ("reset",),
    "doubled": ("happened 2", "happened 3", "not asked for", "unrecorded"),
}


@dataclass
class Tally:
    """The results of one scenario."""

    scenario: str
    results: list[Result] = field(default_factory=list[Result])

    @property
    def faults(self) -> list[str]:
        """Everything that did not hold."""
        return [fault for result in self.results for fault in result.faults]

    @property
    def failures(self) -> int:
        """How many trials failed."""
        return sum(bool(result.faults) for result in self.results)

    @property
    def takeovers(self) -> list[float]:
        """How long turns had no working owner, in seconds, shortest first."""
        return sorted(r.takeover for r in self.results if r.takeover is not None)

    def line(self) -> str:
        """Returns the scenario's line of the report."""
        counts = {
            kind: sum(any(word in fault for word in words) for fault in self.faults)
            for kind, words in WORDS.items()
        }
        return (
            f"{self.scenario:<28}{len(self.results):>7}{self.failures:>10}"
            f"{seconds(self.takeovers, 0.5):>10}{seconds(self.takeovers, 0.99):>10}"
            f"{counts['lost']:>7}{counts['repeated']:>10}{counts['doubled']:>9}"
        )


HEADER = (
    f"{'scenario':<28}{'trials':>7}{'failures':>10}{'p50':>10}{'p99':>10}"
    f"{'lost':>7}{'repeated':>10}{'doubled':>9}"
)


def seconds(values: list[float], quantile: float) -> str:
    """Returns a quantile of sorted values, or a dash."""
    if not values:
        return "-"
    return f"{values[min(len(values) - 1, int(len(values) * quantile))]:.2f} s"


def total(tallies: list[Tally]) -> Tally:
    """Returns all scenarios as one."""
    return Tally("all", [result for tally in tallies for result in tally.results])
