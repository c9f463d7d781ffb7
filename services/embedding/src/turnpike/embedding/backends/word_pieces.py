"""A text as the tokens that a model reads."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer


class TokenMap:
    """Where the tokens of one text begin in it."""

    def __init__(self, starts: list[int], words: list[int | None]) -> None:
        self._starts = starts
        self._words = words

    def count(self, start: int, end: int) -> int:
        """Returns how many tokens begin from `start` up to `end`, markers apart."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def advance(self, start: int, tokens: int) -> int | None:
        """Returns where the token begins that is `tokens` after `start`, if there is one."""
        index = bisect_left(self._starts, start) + tokens
        return self._starts[index] if index < len(self._starts) else None

    def retreat(self, start: int, tokens: int) -> int:
        """Returns where a word begins that is at most `tokens` before `start`, or `start`."""
        last = bisect_left(self._starts, start)
        for index in range(max(0, last - tokens), last):
            if index == 0 or self._words[index] != self._words[index - 1]:
                return self._starts[index]
        return start


class WordPieces:
    """The tokenizer of a BERT model. Safe to use from several threads."""

    markers = 2
    """How many tokens the model adds to each text: one before, one after."""

    def __init__(self, file: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        # The file would pad and cut every text to 128 tokens.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # A text that contains "[SEP]" contains five characters, not a marker.
        self._tokenizer.encode_special_tokens = True

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the tokens of each text, markers included, however many there are."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def locate(self, text: str) -> TokenMap:
        """Returns where the tokens of a text begin."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return TokenMap([start for start, _ in encoding.offsets], encoding.word_ids)
