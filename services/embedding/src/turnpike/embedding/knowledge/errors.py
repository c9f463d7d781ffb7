"""Why documents are not kept, changed or shown."""

import grpc

from turnpike.api.embedding.v1.error_reason_pb2 import ErrorReason
from turnpike.embedding.model import EmbeddingError
from turnpike.rpc.errors import QuotaViolation


def _name(reason: "ErrorReason.ValueType") -> str:
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


class MissingError(EmbeddingError):
    """There is no such thing in the caller's tenant."""

    code = grpc.StatusCode.NOT_FOUND
    reason = _name(ErrorReason.ERROR_REASON_NOT_FOUND)

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"there is no {kind} {str(name)!r}", kind=kind, id=str(name))


class CollectionExistsError(EmbeddingError):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = _name(ErrorReason.ERROR_REASON_CONFLICT)

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a collection {name!r} already", kind="collection", id=name)


class MigrationIncompleteError(EmbeddingError):
    """Something that is searchable is not ready with the new model."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_MIGRATION_INCOMPLETE)

    def __init__(self, remaining: int) -> None:
        super().__init__(
            f"{remaining} texts are not ready with the new model; wait, or try again what failed",
            remaining=str(remaining),
        )


class MigrationUnderWayError(EmbeddingError):
    """The collection has a migration that is not over."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_MIGRATION_UNDER_WAY)

    def __init__(self, target: str) -> None:
        super().__init__(f"a migration to {target!r} is not over", target=target)


class DocumentTooLargeError(EmbeddingError):
    """The document has more bytes than one may have."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = _name(ErrorReason.ERROR_REASON_DOCUMENT_TOO_LARGE)

    def __init__(self, limit: int) -> None:
        super().__init__(f"such a document has {limit} bytes at most", limit=str(limit))


class RevisionMismatchError(EmbeddingError):
    """The document has another revision than was expected."""

    code = grpc.StatusCode.ABORTED
    reason = _name(ErrorReason.ERROR_REASON_REVISION_MISMATCH)

    def __init__(self, path: str, revision: int, expected: int) -> None:
        super().__init__(
            f"{path!r} has revision {revision}, not {expected}",
            path=path,
            revision=str(revision),
            expected=str(expected),
        )


class EditedSinceError(RevisionMismatchError):
    """The document was changed after what is to be taken back."""

    reason = _name(ErrorReason.ERROR_REASON_EDITED_SINCE)


class PathTakenError(EmbeddingError):
    """Something else is at the path, or where a folder would have to be."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = _name(ErrorReason.ERROR_REASON_PATH_TAKEN)

    def __init__(self, path: str) -> None:
        super().__init__(f"something else is at {path!r}", path=path)
        self.path = path


class FolderNotEmptyError(EmbeddingError):
    """The folder has something in it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_FOLDER_NOT_EMPTY)

    def __init__(self, path: str) -> None:
        super().__init__(f"the folder {path!r} has something in it", path=path)


class TenantLimitError(EmbeddingError):
    """The tenant keeps as much as it may."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = _name(ErrorReason.ERROR_REASON_TENANT_LIMIT)

    def __init__(self, limit: int, unit: str) -> None:
        sentence = f"a tenant may keep {limit} {unit}"
        violation = QuotaViolation(
            subject="tenant", description=sentence, metric=unit, period="", limit=limit
        )
        super().__init__(sentence, quota=[violation], limit=str(limit), unit=unit)


class EditNotUniqueError(EmbeddingError):
    """The part to replace is not in the text exactly once."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = _name(ErrorReason.ERROR_REASON_EDIT_NOT_UNIQUE)

    def __init__(self, path: str, found: int) -> None:
        super().__init__(
            f"old_text is in {path!r} {found} times, and must be there once",
            fields=[("old_text", f"is there {found} times")],
            path=path,
            found=str(found),
        )


class NotTextError(EmbeddingError):
    """The document is not kept as text."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_NOT_TEXT)

    def __init__(self, path: str, media_type: str) -> None:
        super().__init__(
            f"{path!r} is {media_type}: it can be replaced, not edited",
            path=path,
            media_type=media_type,
        )


class NotExtractedError(EmbeddingError):
    """The document's text has not been extracted, or cannot be."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_NOT_EXTRACTED)

    def __init__(self, path: str) -> None:
        super().__init__(f"the text of {path!r} has not been extracted", path=path)


class RequestReusedError(EmbeddingError):
    """The request id was used for another request."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_IDEMPOTENCY_KEY_REUSED)

    def __init__(self) -> None:
        super().__init__("the request_id was used for another request")
