"""Why sources are not kept, or do not run."""

import grpc

from turnpike.api.embedding.v1.error_reason_pb2 import ErrorReason
from turnpike.embedding.model import EmbeddingError


class FolderOwnedError(EmbeddingError):
    """Another source owns the folder, or one within it, or around it."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_FOLDER_OWNED).removeprefix("ERROR_REASON_")

    def __init__(self, folder: str, source: str) -> None:
        super().__init__(
            f"the source {source!r} owns {folder!r}",
            fields=[("source.folder", f"is owned by {source!r}")],
            folder=folder,
            source=source,
        )


class RunEndedError(Exception):
    """A run cannot go on."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ItemError(Exception):
    """An item cannot be read or written: the next run tries again."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ItemSkippedError(Exception):
    """An item is left alone until it is another."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
