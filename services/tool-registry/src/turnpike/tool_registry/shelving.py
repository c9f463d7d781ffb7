"""Putting away what a turn cannot carry: images, sounds, files, texts that are too long."""

import asyncio
import base64
import binascii
import logging
import mimetypes
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.blobs.model import Announce, BlobError, BlobStore, BlobsUnavailableError, Kept
from turnpike.blobs.whole import put_whole
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.rpc.errors import NotFoundError
from turnpike.tool_registry import artifacts, results
from turnpike.tool_registry.artifacts import Artifact
from turnpike.tool_registry.model import Call, Outcome
from turnpike.tool_registry.ownership import Who

logger = logging.getLogger(__name__)

URI = "turnpike://artifacts/"
"""What an artifact's URI begins with; its id follows."""

_NAMES = UUID("6f1d5b1e-4a51-4b43-9d3a-2f0a3f1c7c11")
_LONG = 16 * 1024
"""How many characters a text may have in a result that is too large."""

_PREVIEW = 4 * 1024
_SWEEP_SECONDS = 15.0
_PUT_SECONDS = 300.0
_MOST_AT_ONCE = 100
_MOST_LISTED = 500
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class _Found:
    """Bytes in a content block."""

    content: bytes
    media_type: str
    preview: str = ""


class _NotKeptError(Exception):
    """An artifact is none: its turn is forgotten, or its tenant has too many bytes."""


class Shelf:
    """Keeps artifacts, and gives them out."""

    def __init__(self, engine: AsyncEngine, blobs: BlobStore, *, tenant_bytes: int) -> None:
        """Takes where they are, and how many bytes a tenant may have."""
        self._tenant_bytes = tenant_bytes
        self._engine = engine
        self._blobs = blobs

    async def shelved(self, call: Call, outcome: Outcome) -> Outcome:
        """Returns an outcome that a turn can carry: with references to what it cannot.

        Whatever becomes of the store, the call has had its effect and its outcome stands; what
        could not be kept is cut.
        """
        blocks = results.blocks_of(outcome)
        is_large = len(outcome.result.encode()) > results.MAX_RESULT_BYTES
        kept: list[Any] = []
        try:
            for number, block in enumerate(blocks):
                found = _found(block, is_large=is_large)
                kept += [block] if found is None else await self._put(call, number, found, block)
        except BlobError as error:
            logger.warning("an artifact of the call %s is not kept: %s", call.effect, error)
            return results.capped(outcome)
        except _NotKeptError as error:
            note = results.text_block(f"[What this call brought is not kept apart: {error}.]")
            return results.capped(results.with_blocks(outcome, [*blocks, note]))
        return results.capped(results.with_blocks(outcome, kept))

    async def get(self, tenant: UUID, who: Who, artifact: UUID) -> Artifact:
        """Returns an artifact, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await artifacts.get(connection, artifact, who)
        if found is None:
            raise NotFoundError(
                f"there is no artifact {str(artifact)!r}", kind="artifact", id=str(artifact)
            )
        return found

    async def of_turn(self, tenant: UUID, who: Who, turn: UUID) -> list[Artifact]:
        """Returns a turn's artifacts."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await artifacts.of_turn(connection, turn, who, _MOST_LISTED)

    async def read(
        self, tenant: UUID, who: Who, artifact: UUID, start: int, end: int | None
    ) -> AsyncGenerator[bytes]:
        """Yields an artifact's bytes; raises `NotFoundError`."""
        found = await self.get(tenant, who, artifact)
        async for chunk in self._blobs.read(found.blob, start, end):
            yield chunk

    async def _put(self, call: Call, number: int, found: _Found, block: Any) -> list[Any]:
        artifact = uuid5(_NAMES, f"{call.tenant}/{call.effect}/{call.attempt}/{number}")
        name = _name(block, artifact, found.media_type)

        async def announce(kept: Kept) -> None:
            values = {
                "id": artifact,
                "tenant": call.tenant,
                "principal": call.principal,
                "turn": UUID(call.effect.partition(":")[0]),
                "effect": call.effect,
                "name": name,
                "media_type": found.media_type,
                "size": kept.size,
                "digest": kept.blob.digest,
            }
            async with tenant_transaction(self._engine, call.tenant) as connection:
                stored = await artifacts.add(connection, values)
                if stored is None:
                    raise _NotKeptError("its thread is deleted")
                if stored > self._tenant_bytes:
                    limit = f"a tenant's artifacts have {self._tenant_bytes} bytes at most"
                    raise _NotKeptError(f"ARTIFACTS_FULL, {limit}")

        kept = await self._put_in_time(call.tenant, found.content, artifact, announce)
        link = {
            "type": "resource_link",
            "uri": f"{URI}{artifact}",
            "name": name,
            "mimeType": found.media_type,
            "size": kept.size,
        }
        return [results.text_block(found.preview), link] if found.preview else [link]

    async def _put_in_time(
        self, tenant: UUID, content: bytes, artifact: UUID, announce: Announce
    ) -> Kept:
        # `forget_turns` gives what is being kept twice that time before the sweep takes it.
        try:
            async with asyncio.timeout(_PUT_SECONDS):
                kept = await put_whole(
                    self._blobs, tenant, content, edition=str(artifact), announce=announce
                )
        except TimeoutError as error:
            raise BlobsUnavailableError("keeping it took too long") from error
        async with tenant_transaction(self._engine, tenant) as connection:
            await artifacts.note_kept(connection, artifact)
        return kept

    async def forget(self, tenant: UUID, turns: Sequence[UUID]) -> None:
        """Forgets turns for ever: what their calls brought is deleted by the next sweep."""
        async with tenant_transaction(self._engine, tenant) as connection:
            await artifacts.forget_turns(connection, tenant, turns)

    async def sweep(self, system: AsyncEngine, retention: timedelta) -> int:
        """Deletes artifacts that are forgotten, or older than `retention`; returns how many.

        Their bytes first: whoever dies between leaves them to be found again.
        """
        async with system_transaction(system) as connection:
            old = await artifacts.find_due(connection, retention, _MOST_AT_ONCE)
        for _, blob in old:
            await self._blobs.delete(blob)
        async with system_transaction(system) as connection:
            await artifacts.forget(connection, [artifact for artifact, _ in old])
        return len(old)

    async def sweep_forever(self, system: AsyncEngine, retention: timedelta) -> None:
        """Sweeps until cancelled."""
        await sweep_every(
            _SWEEP_SECONDS,
            lambda: self.sweep(system, retention),
            later="artifacts are deleted later",
            spared=(BlobsUnavailableError,),
        )


def _found(block: Any, *, is_large: bool) -> _Found | None:
    """Returns the bytes of a block that are to be put away; None leaves the block as it is."""
    shown = cast("dict[str, Any]", block) if isinstance(block, dict) else {}
    match shown.get("type"):
        case "image" | "audio":
            return _decoded(shown.get("data"), shown.get("mimeType"))
        case "resource":
            resource = shown.get("resource")
            inner = cast("dict[str, Any]", resource) if isinstance(resource, dict) else {}
            if "blob" in inner:
                return _decoded(inner.get("blob"), inner.get("mimeType"))
            return _long(inner.get("text"), inner.get("mimeType")) if is_large else None
        case "text":
            return _long(shown.get("text"), "text/plain") if is_large else None
        case _:
            return None


def _decoded(data: Any, media_type: Any) -> _Found | None:
    try:
        content = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return None
    return _Found(content, _media_type(media_type)) if content else None


def _long(text: Any, media_type: Any) -> _Found | None:
    if not isinstance(text, str) or len(text) <= _LONG:
        return None
    content = text.encode("utf-8", "replace")
    preview = f"{text[:_PREVIEW]}\n[The beginning of {len(content)} bytes; all of it follows.]"
    return _Found(content, _media_type(media_type), preview)


def _media_type(said: Any) -> str:
    plain = said.partition(";")[0].strip().lower() if isinstance(said, str) else ""
    return plain if "/" in plain and plain.isascii() and plain.isprintable() else _UNKNOWN


def _name(block: Any, artifact: UUID, media_type: str) -> str:
    """Returns what to call an artifact: as its resource is called, without any path."""
    resource = block.get("resource")
    uri = cast("dict[str, Any]", resource).get("uri") if isinstance(resource, dict) else None
    given = uri.rstrip("/").rpartition("/")[2] if isinstance(uri, str) else ""
    clean = "".join(c for c in given if c.isprintable() and c not in "/\\")[:100]
    if clean.strip("."):
        return clean
    return f"{str(artifact)[:8]}{mimetypes.guess_extension(media_type) or ''}"
