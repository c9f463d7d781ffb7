"""Finding, among very many patterns, those that match a text."""

from collections import Counter
from collections.abc import Iterator, Mapping

from turnpike.agent_runtime.policy.matching import Pattern

# Long enough to tell words apart, short enough that a text has few of them.
_LONGEST_PIECE = 4


class Index:
    """Patterns by a piece that any text which they match must have.

    Of a pattern's pieces it is the one that the fewest other patterns have. So what a text
    costs grows with its own length, and with the patterns that it nearly matches.
    """

    def __init__(self, patterns: Mapping[str, Pattern]) -> None:
        self._by_piece: dict[str, list[tuple[str, Pattern]]] = {}
        self._wordless: list[str] = []
        """Of stars alone."""

        common = Counter(piece for each in patterns.values() for piece in _pieces(each))
        for key, pattern in patterns.items():
            rarest = min(_pieces(pattern), key=lambda piece: (common[piece], piece), default=None)
            if rarest is None:
                self._wordless.append(key)
            else:
                self._by_piece.setdefault(rarest, []).append((key, pattern))
        self._lengths = sorted({len(piece) for piece in self._by_piece})

    def matching(self, text: str) -> list[str]:
        """Returns the keys of the patterns that match, in no order."""
        found = list(self._wordless)
        if not self._by_piece:
            return found
        for piece in self._pieces_of(text) & self._by_piece.keys():
            found += [key for key, pattern in self._by_piece[piece] if pattern.matches(text)]
        return found

    def _pieces_of(self, text: str) -> set[str]:
        return {
            text[start : start + length]
            for length in self._lengths
            for start in range(len(text) - length + 1)
        }


def _pieces(pattern: Pattern) -> set[str]:
    return {piece for word in pattern.words for piece in _pieces_of_word(word)}


def _pieces_of_word(word: str) -> Iterator[str]:
    length = min(len(word), _LONGEST_PIECE)
    return (word[start : start + length] for start in range(len(word) - length + 1))
