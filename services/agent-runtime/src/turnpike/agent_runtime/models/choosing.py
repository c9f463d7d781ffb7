"""Which of several models a thread is given: the same in every replica, and for ever."""

import hashlib
import math
from collections.abc import Sequence

from turnpike.agent_runtime.models.configs import Candidate, Choice

_UNIT = float(1 << 64)


def ordered(choice: Choice, key: str, *, turn_of: int = 0) -> list[Candidate]:
    """Returns the candidates, best first.

    The pinned model comes first, then the others by weighted rendezvous hashing: when one goes,
    its threads spread over the rest, and nobody else's move. The credentials of one model take
    turns, thread by thread: a thread stays with the one whose caches it has.

    Args:
        choice: What there is.
        key: What is given a model: a thread's id, say.
        turn_of: Which credential's turn it is, counted up by whoever asks.
    """
    names = ranked({each.model.name: each.weight for each in choice.candidates}, key)
    if choice.pinned in names:
        names.remove(choice.pinned)
        names.insert(0, choice.pinned)
    found: list[Candidate] = []
    for name in names:
        of_it = [each for each in choice.candidates if each.model.name == name]
        found.extend(_in_turn(of_it, choice.pinned_keys.get(name, ""), turn_of))
    return found


def ranked(weights: dict[str, int], key: str) -> list[str]:
    """Returns names by their scores for a key; the share of first places is as the weights."""
    scores = {name: _score(name, weight, key) for name, weight in weights.items()}
    return sorted(scores, key=lambda name: (-scores[name], name))


def _score(name: str, weight: int, key: str) -> float:
    digest = hashlib.blake2b(f"{key}\0{name}".encode(), digest_size=8).digest()
    # Between 0 and 1, and neither.
    uniform = (int.from_bytes(digest, "big") + 0.5) / _UNIT
    return weight / -math.log(uniform)


def _in_turn(candidates: Sequence[Candidate], pinned: str, turn_of: int) -> list[Candidate]:
    """Returns a model's candidates by rank; those of one rank take turns, the pinned one first."""
    found: list[Candidate] = []
    for rank in sorted({each.rank for each in candidates}):
        peers = [each for each in candidates if each.rank == rank]
        start = turn_of % len(peers)
        rotated = [*peers[start:], *peers[:start]]
        found.extend(sorted(rotated, key=lambda each: each.id != pinned))
    return found
