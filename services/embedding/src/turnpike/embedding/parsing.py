"""Having code parsed, in a process of its own with limits of its own."""

import asyncio
import logging

from turnpike.embedding.children import Bounds, ChildLimitError, run_child
from turnpike.embedding.grammars import GRAMMARS

logger = logging.getLogger(__name__)

_PARSER = "turnpike.embedding.grammars"


class Parsing:
    """Has code parsed, a few texts at a time."""

    def __init__(self, bounds: Bounds, *, at_once: int) -> None:
        self._bounds = bounds
        self._room = asyncio.Semaphore(at_once)

    async def parse(self, text: str, language: str) -> bytes:
        """Returns what `Syntax.read` reads; nothing where there is no grammar, or it gives up."""
        if language not in GRAMMARS:
            return b""
        source = await asyncio.to_thread(text.encode, errors="replace")
        try:
            async with self._room:
                ended = await run_child(_PARSER, language, source, self._bounds)
        except ChildLimitError as error:
            _tell(source, language, str(error))
            return b""
        if ended.code:
            _tell(source, language, f"the parser ended with {ended.code}: {ended.complaint}")
            return b""
        return ended.answer


def _tell(source: bytes, language: str, why: str) -> None:
    logger.warning("%d bytes of %s are divided unparsed: %s", len(source), language, why)
