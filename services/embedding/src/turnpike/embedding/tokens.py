"""Counting a text in a model's tokens, in threads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from turnpike.embedding.model import InputEmptyError, InputTooLongError, Item, TooLong

if TYPE_CHECKING:
    from turnpike.embedding.backends.word_pieces import WordPieces

_GROUP = 64
"""How many texts are tokenized at once: their whole encodings are in memory together."""


def tokenize(
    pieces: "WordPieces", texts: Sequence[str], *, prompt: str, max_tokens: int, too_long: TooLong
) -> list[Item]:
    """Returns texts as a model will read them, the prompt before each.

    Raises:
        InputEmptyError: A text has no token.
        InputTooLongError: A text is longer than the model takes, and was not to
            be truncated.
    """
    items: list[Item] = []
    empty = pieces.markers + pieces.count(prompt) if prompt else pieces.markers
    for first in range(0, len(texts), _GROUP):
        group = [prompt + text for text in texts[first : first + _GROUP]]
        for text, ids in zip(group, pieces.encode(group), strict=True):
            if len(ids) <= empty:
                raise InputEmptyError(len(items))
            items.append(_fit(pieces, len(items), text, ids, max_tokens, too_long))
    return items


def _fit(
    pieces: "WordPieces", index: int, text: str, ids: list[int], max_tokens: int, too_long: TooLong
) -> Item:
    if len(ids) <= max_tokens:
        return Item(text, ids)
    if too_long is TooLong.REFUSE:
        raise InputTooLongError(index, tokens=len(ids), max_tokens=max_tokens)
    room = max_tokens - pieces.markers
    end = pieces.locate(text).advance(0, room)
    return Item(text[:end], pieces.cut(ids, max_tokens), truncated=True)
