"""Extracting the text of files, in a process of their own with limits of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass

from turnpike.embedding.knowledge import kinds

_MAX_TEXT_BYTES = 32 << 20
_PART = 1 << 16


class ExtractionError(Exception):
    """A file's text cannot be had.

    Args:
        reason: EXTRACTION_FAILED, EXTRACTION_LIMIT or MEDIA_TYPE_UNKNOWN.
        detail: A sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one extraction may take."""

    seconds: float
    memory_bytes: int


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
        async with self._room:
            extracted, code, complaint = await self._run(original, media_type)
        if code != 0:
            raise ExtractionError("EXTRACTION_FAILED", complaint or f"the reader ended with {code}")
        # A database stores no NUL, and some formats have them.
        return extracted.decode(errors="replace").replace("\0", "")

    async def _run(self, original: bytes, media_type: str) -> tuple[bytes, int, str]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "turnpike.embedding.extractors",
            media_type,
            str(self._bounds.memory_bytes),
            str(int(self._bounds.seconds)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            # Nothing of ours: no secret, no address.
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            cwd="/",
        )
        try:
            async with asyncio.timeout(self._bounds.seconds):
                return await _converse(child, original)
        except TimeoutError as error:
            seconds = self._bounds.seconds
            raise ExtractionError("EXTRACTION_LIMIT", f"it took more than {seconds} s") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


async def _converse(child: asyncio.subprocess.Process, original: bytes) -> tuple[bytes, int, str]:
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise ExtractionError("EXTRACTION_FAILED", "the reader has no pipes")
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_feed(child.stdin, original))
            extracted = tasks.create_task(_read(child.stdout, _MAX_TEXT_BYTES))
            complaint = tasks.create_task(_read(child.stderr, _PART))
    except* ExtractionError as errors:
        raise errors.exceptions[0] from None
    code = await child.wait()
    lines = complaint.result().decode(errors="replace").strip().splitlines()
    return extracted.result(), code, lines[-1][:500] if lines else ""


async def _feed(stdin: asyncio.StreamWriter, original: bytes) -> None:
    # A child that ends early says why by itself.
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(original)
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()


async def _read(stream: asyncio.StreamReader, limit: int) -> bytes:
    taken = bytearray()
    while part := await stream.read(_PART):
        if len(taken) + len(part) > limit:
            raise ExtractionError("EXTRACTION_LIMIT", f"its text has more than {limit} bytes")
        taken += part
    return bytes(taken)
