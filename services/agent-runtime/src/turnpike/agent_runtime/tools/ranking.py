"""Ranking tools by what is said of them, without any I/O."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import mul

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# What is in every question, and says nothing of the tool.
_EMPTY = re.compile(
    r"a|an|and|as|at|be|by|can|do|for|from|i|in|is|it|me|my|of|on|or|some|that|the|this|to|with|you"
)
# Okapi BM25's usual constants, and reciprocal rank fusion's.
_K1, _B = 1.2, 0.75
_FUSION = 60


def by_words(query: str, texts: Sequence[str]) -> list[int]:
    """Returns the places of the texts that share a word with a query, the best first."""
    said = [Counter(_words(text)) for text in texts]
    around = sum(each.total() for each in said) / max(len(said), 1) or 1.0
    scores = [0.0] * len(said)
    for word in set(_words(query)):
        holding = sum(word in each for each in said)
        if not holding:
            continue
        rarity = math.log(1 + (len(said) - holding + 0.5) / (holding + 0.5))
        for place, each in enumerate(said):
            often = each[word]
            length = 1 - _B + _B * each.total() / around
            scores[place] += rarity * often * (_K1 + 1) / (often + _K1 * length)
    return _ordered({place: score for place, score in enumerate(scores) if score > 0})


def by_meaning(query: Sequence[float], vectors: Mapping[int, Sequence[float]]) -> list[int]:
    """Returns places by how near their vectors, of length 1, are to a query's."""
    return _ordered({place: sum(map(mul, query, each)) for place, each in vectors.items()})


def fused(*rankings: Sequence[int]) -> list[int]:
    """Returns one ranking of several: reciprocal rank fusion."""
    scores: Counter[int] = Counter()
    for ranking in rankings:
        for rank, place in enumerate(ranking, 1):
            scores[place] += 1 / (_FUSION + rank)  # pyright: ignore[reportArgumentType]
    return _ordered(scores)


def _ordered(scores: Mapping[int, float]) -> list[int]:
    # The first of two that are alike, so that everybody finds the same.
    return sorted(scores, key=lambda place: (-scores[place], place))


def _words(text: str) -> list[str]:
    words = (word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text)))
    return [word.rstrip("s") for word in words if not _EMPTY.fullmatch(word)]
