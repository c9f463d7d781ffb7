"""Processes that read what strangers sent: each has one file, and limits of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass

_MAX_ANSWER_BYTES = 32 << 20
_PART = 1 << 16


class ChildLimitError(Exception):
    """A child took longer than it may, or has more to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one child may take."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended."""

    answer: bytes
    code: int
    complaint: str
    """The last line that it wrote to stderr."""


async def run_child(module: str, subject: str, sent: bytes, bounds: Bounds) -> Ended:
    """Runs `python -m MODULE SUBJECT MEMORY SECONDS` with bytes on its stdin.

    Raises:
        ChildLimitError: It took too long, or answers too much.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        subject,
        str(bounds.memory_bytes),
        str(int(bounds.seconds)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        # Nothing of ours: no secret, no address.
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        cwd="/",
    )
    try:
        async with asyncio.timeout(bounds.seconds):
            return await _converse(child, sent)
    except TimeoutError as error:
        raise ChildLimitError(f"it took more than {bounds.seconds} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _converse(child: asyncio.subprocess.Process, sent: bytes) -> Ended:
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise ChildLimitError("it has no pipes")
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_feed(child.stdin, sent))
            answer = tasks.create_task(_read(child.stdout, _MAX_ANSWER_BYTES))
            complaint = tasks.create_task(_read(child.stderr, _PART))
    except* ChildLimitError as errors:
        raise errors.exceptions[0] from None
    code = await child.wait()
    lines = complaint.result().decode(errors="replace").strip().splitlines()
    return Ended(answer=answer.result(), code=code, complaint=lines[-1][:500] if lines else "")


async def _feed(stdin: asyncio.StreamWriter, sent: bytes) -> None:
    # A child that ends early says why by itself.
    with suppress(BrokenPipeError, ConnectionResetError):
        if stdin.is_closing():
            return
        stdin.write(sent)
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()


async def _read(stream: asyncio.StreamReader, limit: int) -> bytes:
    taken = bytearray()
    while part := await stream.read(_PART):
        if len(taken) + len(part) > limit:
            raise ChildLimitError(f"it answers more than {limit} bytes")
        taken += part
    return bytes(taken)
