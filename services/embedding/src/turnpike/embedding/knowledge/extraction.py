"""Extracting the text of files, in a process of their own with limits of its own."""

import asyncio

from turnpike.embedding.children import Bounds, ChildLimitError, run_child
from turnpike.embedding.knowledge import kinds

_READER = "turnpike.embedding.extractors"


class ExtractionError(Exception):
    """A file's text cannot be had.

    Args:
        reason: EXTRACTION_FAILED, EXTRACTION_LIMIT or MEDIA_TYPE_UNKNOWN.
        detail: A sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Extraction:
    """Extracts texts, a few files at a time.

    The libraries that read foreign formats are large, slow and now and then wrong: a file that
    crashes them, or keeps them busy for ever, takes down a child that had nothing but the file.
    """

    def __init__(self, bounds: Bounds, *, at_once: int) -> None:
        self._bounds = bounds
        self._room = asyncio.Semaphore(at_once)

    async def text(self, original: bytes, media_type: str) -> str:
        """Returns a file's text, as Markdown where the format has headings or tables.

        Raises:
            ExtractionError: There is none to be had.
        """
        if media_type not in kinds.EXTRACTED:
            raise ExtractionError("MEDIA_TYPE_UNKNOWN", f"no text can be read from {media_type}")
        try:
            async with self._room:
                ended = await run_child(_READER, media_type, original, self._bounds)
        except ChildLimitError as error:
            raise ExtractionError("EXTRACTION_LIMIT", str(error)) from error
        if ended.code != 0:
            complaint = ended.complaint or f"the reader ended with {ended.code}"
            raise ExtractionError("EXTRACTION_FAILED", complaint)
        # A database stores no NUL, and some formats have them.
        return ended.answer.decode(errors="replace").replace("\0", "")
