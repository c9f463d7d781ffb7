"""What may be embedded, and how it is counted."""

from collections.abc import AsyncGenerator, Callable, Container, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from turnpike.embedding import chunking
from turnpike.embedding.batcher import Wanted
from turnpike.embedding.cache import VectorCache, fingerprint
from turnpike.embedding.catalogue import Catalogue, EmbeddingModel
from turnpike.embedding.metering import Load, Meter, Payer
from turnpike.embedding.model import (
    Chunks,
    Dtype,
    Embedding,
    Embeddings,
    InputType,
    Item,
    Priority,
    Strategy,
    TooLong,
)
from turnpike.embedding.offload import Offload
from turnpike.embedding.owing import Owed
from turnpike.embedding.parsing import Parsing
from turnpike.embedding.tokens import tokenize
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.telemetry import span

_Door = Callable[[Payer, Load], AbstractAsyncContextManager[Owed | None]]
"""Lets a call in, and settles it at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Texts to embed, and how."""

    texts: Sequence[str]
    model: str = ""
    """Its name; empty for the default model."""

    priority: Priority = Priority.INTERACTIVE
    too_long: TooLong = TooLong.REFUSE
    input_type: InputType = InputType.DOCUMENT
    dtype: Dtype = Dtype.F32
    dimensions: int = 0
    """How many its vectors must have; 0 for as many as the model makes."""

    tenant: str = ""
    """Whose texts they are: vectors are shared within a tenant alone."""

    payer: Payer | None = None
    """Whose call it is; None for one that is paid for already."""

    patience: float | None = None
    """Seconds that somebody waits; None for as long as it takes."""


class Embedder:
    """Embeds and chunks with the models of a catalogue, off the event loop."""

    def __init__(
        self,
        catalogue: Catalogue,
        cache: VectorCache,
        *,
        tokenizing: Offload,
        chunking: Offload,
        parsing: Parsing,
        meter: Meter,
    ) -> None:
        self._catalogue = catalogue
        self._cache = cache
        self._tokenizing = tokenizing
        self._chunking = chunking
        self._parsing = parsing
        self._meter = meter

    def model(self, name: str) -> EmbeddingModel:
        """Returns a model by its name, or raises `ModelNotFoundError`."""
        return self._catalogue.find(name)

    @property
    def catalogue(self) -> Catalogue:
        """The models."""
        return self._catalogue

    def require(self, model: str, max_tokens: int, overlap: int) -> str:
        """Returns the key of a model's vectors, if it can keep the limits of chunks.

        Raises:
            ModelNotFoundError: There is no such model.
            InvalidArgumentError: The model cannot keep the limits.
        """
        found = self._catalogue.find(model)
        chunking.Limits.within(found.max_tokens, max_tokens, overlap)
        return self._catalogue.key(found.name)

    def kept_under(self, key: str) -> str:
        """Returns the name of the model whose vectors are kept under a key.

        Raises:
            ModelNotFoundError: There is none of its name.
            ModelReplacedError: The one of its name is another.
        """
        return self._catalogue.kept_under(key).name

    async def embed(self, asked: Asked) -> Embeddings:
        """Embeds all texts, or none.

        Raises:
            ModelNotFoundError: There is no such model.
            InvalidArgumentError: Its vectors have other dimensions than were asked for.
            InputEmptyError: A text has no token.
            InputTooLongError: A text is longer than the model takes, and was
                not to be truncated.
            QueueFullError: Too much is waiting already.
            NotAdmittedError: The payer is not admitted, or gatekeeper does not answer.
            EmbeddingError: The model's provider refuses, or does not answer.
        """
        async with self._embedding(asked, self._meter.metered) as (embeddings, _):
            return embeddings

    @asynccontextmanager
    async def keeping(self, asked: Asked) -> AsyncGenerator[tuple[Embeddings, Owed | None]]:
        """Embeds like `embed` for a block that keeps the vectors.

        It writes what they owe, if anything, in the same transaction (`owing.owe`). A block
        that fails owes nothing.
        """
        async with self._embedding(asked, self._meter.owing) as both:
            yield both

    async def count(self, texts: Sequence[str], *, model: str = "") -> list[int]:
        """Returns how many tokens each text has, the model's markers apart."""
        found = self._catalogue.find(model)
        pieces = await found.pieces.get()
        encoded = await self._tokenizing.run(sum(map(len, texts)), pieces.encode, texts)
        return [len(ids) - pieces.markers for ids in encoded]

    async def chunk(
        self,
        text: str,
        *,
        model: str,
        strategy: Strategy,
        max_tokens: int,
        overlap: int,
        language: str = "",
    ) -> Chunks:
        """Splits a text into chunks of at most `max_tokens`; 0 is the model's own limit.

        Code in a `language` that there is a grammar of is divided by its syntax.

        Raises:
            ModelNotFoundError: There is no such model.
            InputEmptyError: The text has no token.
            InvalidArgumentError: The model cannot keep the limits.
            QueueFullError: Too much is waiting already.
        """
        found = self._catalogue.find(model)
        limits = chunking.Limits.within(found.max_tokens, max_tokens, overlap)
        pieces = await found.pieces.get()
        parsed = b""
        # What has no more characters than a chunk has tokens is hardly ever divided.
        if strategy is Strategy.CODE and len(text) > limits.max_tokens:
            parsed = await self._parsing.parse(text, language)
        items = await self._chunking.run(
            len(text), chunking.chunk, pieces, text, strategy, limits, parsed
        )
        return Chunks(model=found.name, items=items)

    @asynccontextmanager
    async def _embedding(
        self, asked: Asked, door: _Door
    ) -> AsyncGenerator[tuple[Embeddings, Owed | None]]:
        model = self._catalogue.find(asked.model)
        if asked.dimensions not in (0, model.dimensions):
            raise InvalidArgumentError("dimensions", f"{model.name} makes {model.dimensions}")
        model.batcher.require_room(asked.priority, asked.patience)
        items = await self._read(model, asked)
        keys = [fingerprint(asked.tenant, model.identity, item.text) for item in items]
        kept = {key: vector for key in set(keys) if (vector := self._cache.get(key)) is not None}
        pairs = list(zip(keys, items, strict=True))
        load = _load(model, pairs, kept)
        async with _admitted(door, asked.payer, load) as owed:
            with span(f"embeddings {model.name}", attributes=_attributes(model)) as embedding:
                embedding.set("gen_ai.usage.input_tokens", load.tokens)
                await self._complete(model, pairs, kept, asked.priority)
            vectors = [kept[key] for key in keys]
            if asked.dtype is Dtype.F16:
                size = sum(map(len, vectors)) // 4
                vectors = await self._tokenizing.run(size, _halved, vectors)
            yield _embeddings(model, items, vectors, asked.dtype), owed

    async def _complete(
        self,
        model: EmbeddingModel,
        pairs: Sequence[tuple[bytes, Item]],
        kept: dict[bytes, bytes],
        priority: Priority,
    ) -> None:
        """Has the model make what is not kept, and keeps it."""
        wanted = [Wanted(key, item) for key, item in pairs if key not in kept]
        if wanted:
            made = await model.batcher.embed(wanted, priority)
            kept |= {each.key: vector for each, vector in zip(wanted, made, strict=True)}
        for key, _ in pairs:
            self._cache.put(key, kept[key])

    async def _read(self, model: EmbeddingModel, asked: Asked) -> list[Item]:
        pieces = await model.pieces.get()
        return await self._tokenizing.run(
            sum(map(len, asked.texts)),
            tokenize,
            pieces,
            asked.texts,
            prompt=model.prompt(asked.input_type),
            max_tokens=model.max_tokens,
            too_long=asked.too_long,
        )


def _load(
    model: EmbeddingModel, pairs: Sequence[tuple[bytes, Item]], kept: Container[bytes]
) -> Load:
    return Load(
        model=model.name,
        input_price=model.input_price,
        tokens=sum(len(item.ids) for _, item in pairs),
        cached_tokens=sum(len(item.ids) for key, item in pairs if key in kept),
        estimated=not model.counts_exactly,
    )


def _admitted(
    door: _Door, payer: Payer | None, load: Load
) -> AbstractAsyncContextManager[Owed | None]:
    if payer is None or (payer.by_service and not load.input_price):
        return nullcontext()
    return door(payer, load)


def _embeddings(
    model: EmbeddingModel, items: Sequence[Item], vectors: Sequence[bytes], dtype: Dtype
) -> Embeddings:
    return Embeddings(
        model=model.name,
        dimensions=model.dimensions,
        items=[
            Embedding(vector=vector, tokens=len(item.ids), truncated=item.truncated)
            for vector, item in zip(vectors, items, strict=True)
        ],
        dtype=dtype,
    )


def _attributes(model: EmbeddingModel) -> dict[str, str | int]:
    return {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": model.name,
        "gen_ai.embeddings.dimension.count": model.dimensions,
    }


def _halved(vectors: Sequence[bytes]) -> list[bytes]:
    import numpy as np

    return [np.frombuffer(vector, "<f4").astype("<f2").tobytes() for vector in vectors]
