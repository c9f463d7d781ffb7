"""Opening the reranker that an operator configured."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from turnpike.embedding.rerankers.cross_encoder import CrossEncoderScores
from turnpike.embedding.rerankers.litellm_scores import LitellmScores
from turnpike.embedding.rerankers.wire import WireScores
from turnpike.embedding.searching.reranking import Reranker
from turnpike.embedding.settings import Settings
from turnpike.embedding.specs import LitellmReranker, LocalReranker, RerankerSpec


@asynccontextmanager
async def open_reranker(settings: Settings) -> AsyncGenerator[Reranker | None]:
    """Gives what orders results anew, if anything does, and closes it after the block."""
    spec = settings.reranker
    if spec is None:
        yield None
        return
    scores = _scores(spec)
    try:
        yield Reranker(scores=scores, timeout=spec.timeout, candidates=spec.candidates)
    finally:
        await scores.close()


def _scores(spec: RerankerSpec) -> CrossEncoderScores | WireScores | LitellmScores:
    if isinstance(spec, LocalReranker):
        return CrossEncoderScores(spec)
    return LitellmScores(spec) if isinstance(spec, LitellmReranker) else WireScores(spec)
