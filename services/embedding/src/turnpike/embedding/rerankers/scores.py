"""Rankings as rerankers answer them."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from turnpike.embedding.model import RerankingError


def read_scores(results: Sequence[Any], texts: int) -> list[float]:
    """Returns each text's score, in the texts' order.

    Raises:
        RerankingError: There is not one for each text.
    """
    scores = dict[int, float]()
    for result in results:
        place, score = result["index"], float(result["relevance_score"])
        if not isinstance(place, int) or not 0 <= place < texts or not isfinite(score):
            raise RerankingError("its answer scores what it was not asked")
        scores[place] = score
    if len(scores) < texts:
        raise RerankingError(f"it scores {len(scores)} of {texts} texts")
    return [scores[place] for place in range(texts)]
