"""A text as the tokens that a model reads."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    """The tokenizer of a model. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        padding: dict[str, Any] = self._tokenizer.padding or {}
        self.padding = int(padding.get("pad_id", 0))
        """The token that stands where a text has none."""

        # The file would pad and cut every text to a length of its own.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # A text that contains "[SEP]" contains five characters, not a marker.
        self._tokenizer.encode_special_tokens = True
        mask = self._tokenizer.encode("a").special_tokens_mask
        self._after = next((i for i, special in enumerate(reversed(mask)) if not special), 0)
        self.markers = sum(mask)
        """How many tokens the model adds to each text: before it, and after."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the tokens of each text, markers included, however many there are."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def count(self, text: str) -> int:
        """Returns how many tokens a text has, markers apart."""
        return len(self._alone(text).ids)

    def cut(self, ids: list[int], max_tokens: int) -> list[int]:
        """Returns the first tokens of a text, and the markers after it: `max_tokens` in all."""
        after = ids[len(ids) - self._after :]
        return [*ids[: max_tokens - len(after)], *after]

    def locate(self, text: str) -> TokenMap:
        """Returns where the tokens of a text begin."""
        encoding = self._alone(text)
        # One by one: whole lists of a long text would be made while all else stands still.
        places = range(len(encoding))
        return TokenMap(
            [encoding.token_to_chars(place)[0] for place in places],
            [encoding.token_to_word(place) for place in places],
        )

    def _alone(self, text: str) -> Any:
        # `encode` keeps all other threads from running, a second for a long text;
        # `encode_batch` does not.
        (encoding,) = self._tokenizer.encode_batch([text], add_special_tokens=False)
        return encoding
