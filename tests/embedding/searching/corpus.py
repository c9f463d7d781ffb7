"""A generated corpus with judgements: of meaning, and of what only a number tells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2

# A thing, what a text says of it, and how somebody asks who does not know the words.
_TOPICS = (
    ("The ferry to the islands", "sails twice a day from the old pier", "boat trip across the sea"),
    ("Sourdough bread", "needs flour, water and a night to rise", "baking a loaf without yeast"),
    ("The tenant", "gives three months of notice in writing", "ending a lease for a flat"),
    ("A bicycle chain", "lasts longer when it is cleaned and oiled", "maintaining my bike"),
    ("Influenza", "spreads by droplets and begins with a fever", "catching the flu"),
    ("The library", "lends novels for four weeks without charge", "borrowing books for free"),
    ("Solar panels", "on the roof feed what is left into the grid", "electricity from sunlight"),
    (
        "Income tax",
        "is withheld from each salary by the employer",
        "what the state takes of wages",
    ),
    ("The museum", "shows paintings of the Dutch masters", "seeing old art from the Netherlands"),
    ("Tomatoes", "want warmth, and water in the morning", "growing vegetables in my garden"),
    ("The motorway", "asks a fee of lorries for each kilometre", "trucks paying to use roads"),
    (
        "A passport",
        "is renewed at the town hall with a new photo",
        "papers for travel abroad",
    ),
    (
        "The glacier",
        "has lost a third of its ice since 1980",
        "melting in a warmer climate",
    ),
    (
        "Chess openings",
        "fight for the four squares in the middle",
        "how to begin a board game",
    ),
    ("The cat", "sleeps most of the day and hunts at dusk", "habits of a house pet"),
    ("Rechargeable cells", "age faster when they are kept full", "making a phone battery last"),
)
_SIDES = (
    "Details are in the leaflet, which is part {code}.",
    "The form for it is {code}; ask at the desk.",
    "See the record {code} in the archive for more.",
)


@dataclass(frozen=True)
class Judged:
    """A question, and how well each document answers it: 2 for what was meant, 1 for its topic."""

    query: str
    grades: Mapping[str, int]


def documents() -> Iterator[tuple[str, str]]:
    """Yields paths and texts."""
    for topic, (thing, says, _) in enumerate(_TOPICS):
        for side, sentence in enumerate(_SIDES):
            text = f"{thing} {says}. {sentence.format(code=_code(topic, side))}"
            yield _path(topic, side), text


def judgements() -> Iterator[Judged]:
    """Yields questions by meaning, by number, and by both."""
    for topic, (_, _, asked) in enumerate(_TOPICS):
        of_topic = {_path(topic, side): 1 for side in range(len(_SIDES))}
        yield Judged(asked, dict.fromkeys(of_topic, 2))
        for side in range(len(_SIDES)):
            meant = of_topic | {_path(topic, side): 2}
            yield Judged(_code(topic, side), meant)
            yield Judged(f"{asked} {_code(topic, side)}", meant)


def ndcg(paths: Sequence[str], grades: Mapping[str, int], at: int = 10) -> float:
    """Returns the normalized discounted cumulative gain of an order."""
    gained = _gain([grades.get(path, 0) for path in paths[:at]])
    return gained / _gain(sorted(grades.values(), reverse=True)[:at])


def _gain(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / log2(place + 2) for place, grade in enumerate(grades))


def _path(topic: int, side: int) -> str:
    return f"/{topic:02}-{side}.md"


def _code(topic: int, side: int) -> str:
    # Digits that are alike: no model can tell them apart by their meaning.
    return f"ZK-{7000 + topic * 37 + side * 611}"
