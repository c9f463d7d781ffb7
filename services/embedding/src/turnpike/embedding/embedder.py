"""What may be embedded, and how it is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnpike.embedding import chunking
from turnpike.embedding.backends import minilm
from turnpike.embedding.batcher import Batcher
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.model import (
    Chunks,
    Embedding,
    Embeddings,
    InputEmptyError,
    InputTooLongError,
    ModelNotFoundError,
    Priority,
    Strategy,
    TooLong,
)
from turnpike.embedding.offload import Offload
from turnpike.telemetry import span

if TYPE_CHECKING:
    from turnpike.embedding.backends.word_pieces import WordPieces

_ATTRIBUTES = {
    "gen_ai.operation.name": "embeddings",
    "gen_ai.request.model": minilm.NAME,
    "gen_ai.embeddings.dimension.count": minilm.DIMENSIONS,
}

_GROUP = 64
"""How many texts are tokenized at once: their whole encodings are in memory together."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A text as the model will read it."""

    ids: list[int]
    truncated: bool


class Embedder:
    """Embeds and chunks with all-MiniLM-L6-v2, off the event loop."""

    def __init__(
        self,
        word_pieces: "Lazy[WordPieces]",
        batcher: Batcher,
        *,
        tokenizing: Offload,
        chunking: Offload,
    ) -> None:
        self._word_pieces = word_pieces
        self._batcher = batcher
        self._tokenizing = tokenizing
        self._chunking = chunking

    async def embed(
        self, texts: Sequence[str], *, model: str, priority: Priority, too_long: TooLong
    ) -> Embeddings:
        """Embeds all texts, or none.

        Raises:
            ModelNotFoundError: There is no such model.
            InputEmptyError: A text has no token.
            InputTooLongError: A text is longer than the model takes, and was
                not to be truncated.
            QueueFullError: Too much is waiting already.
        """
        _require_model(model)
        self._batcher.require_room(priority)
        pieces = await self._word_pieces.get()
        size = sum(map(len, texts))
        tokens = await self._tokenizing.run(size, _tokenize, pieces, texts, too_long)
        with span(f"embeddings {minilm.NAME}", attributes=_ATTRIBUTES) as embedding:
            embedding.set("gen_ai.usage.input_tokens", sum(len(each.ids) for each in tokens))
            vectors = await self._batcher.embed([each.ids for each in tokens], priority)
        items = [
            Embedding(vector=vector, tokens=len(each.ids), truncated=each.truncated)
            for vector, each in zip(vectors, tokens, strict=True)
        ]
        return Embeddings(model=minilm.NAME, dimensions=minilm.DIMENSIONS, items=items)

    async def chunk(
        self, text: str, *, model: str, strategy: Strategy, max_tokens: int, overlap: int
    ) -> Chunks:
        """Splits a text into chunks of at most `max_tokens`; 0 is the model's own limit.

        Raises:
            ModelNotFoundError: There is no such model.
            InputEmptyError: The text has no token.
            InvalidArgumentError: The model cannot keep the limits.
            QueueFullError: Too much is waiting already.
        """
        _require_model(model)
        limits = chunking.Limits.within(minilm.MAX_TOKENS, max_tokens, overlap)
        pieces = await self._word_pieces.get()
        items = await self._chunking.run(len(text), chunking.chunk, pieces, text, strategy, limits)
        return Chunks(model=minilm.NAME, items=items)


def _require_model(name: str) -> None:
    if name not in ("", "default", minilm.NAME):
        raise ModelNotFoundError(name)


def _tokenize(pieces: "WordPieces", texts: Sequence[str], too_long: TooLong) -> list[_Tokens]:
    tokens: list[_Tokens] = []
    for first in range(0, len(texts), _GROUP):
        for ids in pieces.encode(texts[first : first + _GROUP]):
            tokens.append(_fit(pieces, len(tokens), ids, too_long))
    return tokens


def _fit(pieces: "WordPieces", index: int, ids: list[int], too_long: TooLong) -> _Tokens:
    if len(ids) <= pieces.markers:
        raise InputEmptyError(index)
    if len(ids) <= minilm.MAX_TOKENS:
        return _Tokens(ids, truncated=False)
    if too_long is TooLong.REFUSE:
        raise InputTooLongError(index, tokens=len(ids), max_tokens=minilm.MAX_TOKENS)
    return _Tokens([*ids[: minilm.MAX_TOKENS - 1], ids[-1]], truncated=True)
