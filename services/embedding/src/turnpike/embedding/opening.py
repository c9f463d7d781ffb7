"""Opening everything that embeds: the models, and the threads that they work in."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from turnpike.embedding.backends import minilm
from turnpike.embedding.backends.exports import (
    encoder_loader,
    pieces_loader,
    read_export,
    sha256_of,
)
from turnpike.embedding.batcher import Batcher
from turnpike.embedding.cache import VectorCache
from turnpike.embedding.catalogue import Catalogue, EmbeddingModel
from turnpike.embedding.children import Bounds
from turnpike.embedding.embedder import Embedder
from turnpike.embedding.engines import Encoder, LocalEngine
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.line import Packing
from turnpike.embedding.metering import Meter
from turnpike.embedding.model import InputType
from turnpike.embedding.offload import Offload
from turnpike.embedding.parsing import Parsing
from turnpike.embedding.providers.litellm_engine import LitellmEngine
from turnpike.embedding.providers.openai_engine import OpenAIEngine
from turnpike.embedding.settings import Settings
from turnpike.embedding.specs import LocalSpec, ProviderSpec, Spec

if TYPE_CHECKING:
    from turnpike.embedding.backends.word_pieces import WordPieces

_ENGINES = {"openai": OpenAIEngine, "litellm": LitellmEngine}


@asynccontextmanager
async def open_embedder(
    settings: Settings,
    meter: Meter,
    *,
    load_encoder: Callable[[], Encoder] | None = None,
) -> AsyncGenerator[Embedder]:
    """Gives what embeds and chunks, and stops its threads after the block.

    Args:
        settings: The operator's.
        meter: Admits who is to pay.
        load_encoder: Loads the built-in model; None for the usual way.
    """
    limit = settings.max_waiting_characters
    async with AsyncExitStack() as stack:
        stack.push_async_callback(meter.close)
        tokenizing = stack.enter_context(Offload("tokenize", threads=2, max_waiting=limit))
        chunking = stack.enter_context(Offload("chunk", threads=1, max_waiting=limit))
        threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="embed")
        opening = _Opening(settings, tokenizing.executor, stack.enter_context(threads))
        models = [opening.built_in(load_encoder)]
        for spec in settings.models:
            models.append(await opening.configured(spec))
        for engine in opening.engines:
            stack.push_async_callback(engine.close)
        for model in models:
            await stack.enter_async_context(model.batcher.working())
        yield Embedder(
            Catalogue(models, default=settings.default_model),
            VectorCache(settings.cache_bytes),
            tokenizing=tokenizing,
            chunking=chunking,
            parsing=Parsing(
                Bounds(
                    seconds=settings.parsing_seconds,
                    memory_bytes=settings.extraction_memory_bytes,
                ),
                at_once=max(1, settings.index_jobs),
            ),
            meter=meter,
        )


@dataclass(frozen=True, slots=True)
class _Local:
    """A model in this process."""

    name: str
    dimensions: int
    max_tokens: int
    identity: str
    load_pieces: "Callable[[], WordPieces]"
    load_encoder: Callable[[], Encoder]


class _Opening:
    def __init__(self, settings: Settings, tokenizing: Executor, threads: Executor) -> None:
        self._settings = settings
        self._tokenizing = tokenizing
        self._threads = threads
        self._default_pieces = Lazy(tokenizing, minilm.load_word_pieces)
        self.engines: list[OpenAIEngine | LitellmEngine] = []

    def built_in(self, load_encoder: Callable[[], Encoder] | None) -> EmbeddingModel:
        threads = self._settings.intra_op_threads
        local = _Local(
            name=minilm.NAME,
            dimensions=minilm.DIMENSIONS,
            max_tokens=minilm.MAX_TOKENS,
            identity=minilm.IDENTITY,
            load_pieces=minilm.load_word_pieces,
            load_encoder=load_encoder or partial(minilm.load_encoder, threads),
        )
        return self._local(local, self._default_pieces)

    async def configured(self, spec: Spec) -> EmbeddingModel:
        if isinstance(spec, ProviderSpec):
            return await self._provided(spec)
        export = await asyncio.to_thread(read_export, spec)
        local = _Local(
            name=export.name,
            dimensions=export.dimensions,
            max_tokens=export.max_tokens,
            identity=f"{export.revision}:{export.pooling}:{export.max_tokens}",
            load_pieces=pieces_loader(export.tokenizer),
            load_encoder=encoder_loader(export, self._settings.intra_op_threads),
        )
        return self._local(local, Lazy(self._tokenizing, local.load_pieces), spec)

    def _local(
        self, local: _Local, pieces: "Lazy[WordPieces]", spec: LocalSpec | None = None
    ) -> EmbeddingModel:
        settings = self._settings
        engine = LocalEngine(Lazy(self._threads, local.load_encoder), self._threads)
        return EmbeddingModel(
            name=local.name,
            dimensions=local.dimensions,
            max_tokens=local.max_tokens,
            pieces=pieces,
            identity=local.identity,
            prompts=_prompts(spec),
            input_price=spec.input_price if spec else 0,
            batcher=Batcher(
                engine,
                Packing(max_tokens=settings.max_batch_tokens),
                workers=settings.workers,
                max_queued_tokens=settings.max_queued_tokens,
            ),
        )

    async def _provided(self, spec: ProviderSpec) -> EmbeddingModel:
        engine = _ENGINES[spec.kind](spec)
        self.engines.append(engine)
        own = spec.tokenizer
        counted_by = await asyncio.to_thread(sha256_of, own) if own else ""
        return EmbeddingModel(
            name=spec.name,
            dimensions=spec.dimensions,
            max_tokens=spec.max_tokens,
            pieces=Lazy(self._tokenizing, pieces_loader(own)) if own else self._default_pieces,
            identity=":".join(
                (
                    spec.kind,
                    spec.provider,
                    spec.base_url,
                    spec.model,
                    str(spec.dimensions),
                    counted_by,
                )
            ),
            prompts=_prompts(spec),
            input_price=spec.input_price,
            counts_exactly=own is not None,
            batcher=Batcher(
                engine,
                Packing(max_tokens=spec.max_call_tokens, max_texts=spec.max_inputs, width_step=0),
                workers=spec.concurrency,
                max_queued_tokens=self._settings.max_queued_tokens,
            ),
        )


def _prompts(spec: LocalSpec | ProviderSpec | None) -> dict[InputType, str]:
    if spec is None:
        return {}
    return {InputType.QUERY: spec.query_prompt, InputType.DOCUMENT: spec.document_prompt}
