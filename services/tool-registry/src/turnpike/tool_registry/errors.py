"""The errors that the registry's callers may see."""

from uuid import UUID

import grpc

from turnpike.api.tool_registry.v1.error_reason_pb2 import ErrorReason
from turnpike.rpc.errors import NotFoundError, ServiceError

_PREFIX = "ERROR_REASON_"


class ConnectorNotFoundError(NotFoundError):
    """There is no such connector in the caller's tenant."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no connector {name!r}", kind="connector", id=name)


class ConnectorExistsError(ServiceError):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CONFLICT).removeprefix(_PREFIX)

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a connector {name!r} already", kind="connector", id=name)


class ToolNotFoundError(NotFoundError):
    """The connector has no such tool, or none that waits."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no tool {name!r}", kind="tool", id=name)


class CredentialNotFoundError(NotFoundError):
    """The person has no credential for the connector."""

    def __init__(self, connector: str) -> None:
        super().__init__(
            f"there is no credential for {connector!r}", kind="credential", id=connector
        )


class SignInNotFoundError(NotFoundError):
    """The caller began no such sign-in, or it ended long ago."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"there is no sign-in {identity!r}", kind="sign_in", id=identity)


class SignInImpossibleError(ServiceError):
    """Nobody can sign in to the connector."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_SIGN_IN_IMPOSSIBLE).removeprefix(_PREFIX)

    def __init__(self, connector: str, cause: str, message: str) -> None:
        super().__init__(message, connector=connector, cause=cause)


class SignInInvalidError(ServiceError):
    """A state is unknown, another's, used already, or too old."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_SIGN_IN_INVALID).removeprefix(_PREFIX)

    def __init__(self) -> None:
        super().__init__("this sign-in is not one that can be ended; begin another")


class CredentialMissingError(Exception):
    """A call needs its requester's credential, and there is none."""


class VariableUnusableError(Exception):
    """Something names a variable that is not there, or not for it."""

    def __init__(self, field: str, name: str, why: str) -> None:
        super().__init__(f"{field} names the variable {name!r}, {why}")


class TextUnfillableError(ServiceError):
    """A text names a variable that it cannot be given."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_VARIABLE_UNUSABLE).removeprefix(_PREFIX)

    def __init__(self, field: str, name: str, why: str) -> None:
        super().__init__(f"{field} names the variable {name!r}, {why}", field=field, variable=name)


class VariableNotFoundError(NotFoundError):
    """Its owner has no such variable."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no variable {name!r}", kind="variable", id=name)


class VariableExistsError(ServiceError):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CONFLICT).removeprefix(_PREFIX)

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a variable {name!r} already", kind="variable", id=name)


class DefinitionMismatchError(ServiceError):
    """The definition is another by now than the one that was looked at."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_DEFINITION_MISMATCH).removeprefix(_PREFIX)

    def __init__(self, tool: str, digest: str) -> None:
        super().__init__(f"{tool!r} is another by now", tool=tool, digest=digest)


class AliasTakenError(ServiceError):
    """Another tool has the alias."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CONFLICT).removeprefix(_PREFIX)

    def __init__(self, alias: str) -> None:
        super().__init__(f"another tool is called {alias!r} already", kind="alias", id=alias)


class CallNotUnknownError(ServiceError):
    """The call's outcome is known, or somebody else has said what became of it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CALL_NOT_UNKNOWN).removeprefix(_PREFIX)

    def __init__(self, effect: str, status: str, generation: int) -> None:
        super().__init__(
            f"the call {effect!r} is {status} in generation {generation}",
            effect=effect,
            status=status,
            generation=str(generation),
        )


class CallNotWaitingError(ServiceError):
    """The call wants nothing from a person, or somebody has answered it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CALL_NOT_WAITING).removeprefix(_PREFIX)

    def __init__(self, effect: str, status: str, generation: int) -> None:
        super().__init__(
            f"the call {effect!r} waits for no answer: it is {status} in generation {generation}",
            effect=effect,
            status=status,
            generation=str(generation),
        )


class FenceStaleError(ServiceError):
    """A newer claim of the turn is known."""

    code = grpc.StatusCode.ABORTED
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_FENCE_STALE).removeprefix(_PREFIX)

    def __init__(self, turn: UUID, known: int) -> None:
        super().__init__(f"the turn is at fence {known}", turn=str(turn), fence=str(known))


class EffectMismatchError(ServiceError):
    """The effect's id stands for another call."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_EFFECT_MISMATCH).removeprefix(_PREFIX)

    def __init__(self, effect: str) -> None:
        super().__init__(
            f"the effect {effect!r} is another call: its tool, definition or arguments differ",
            effect=effect,
        )


class ResourceError(ServiceError):
    """Nothing can be read of a connector, or not this resource."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class ConnectorUnusableError(ResourceError):
    """The connector's server cannot be spoken to."""

    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CONNECTOR_UNUSABLE).removeprefix(_PREFIX)

    def __init__(self, connector: str, fault: str, message: str) -> None:
        super().__init__(message, connector=connector, fault=fault)


class ResourcesUnsupportedError(ResourceError):
    """The connector's server has no resources."""

    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_RESOURCES_UNSUPPORTED).removeprefix(_PREFIX)

    def __init__(self, connector: str) -> None:
        super().__init__(f"the server of {connector!r} has no resources", connector=connector)


class ResourceRefusedError(ResourceError):
    """The server answered with an error."""

    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_RESOURCE_REFUSED).removeprefix(_PREFIX)

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(message, uri=uri)


class ResourceTooLargeError(ResourceError):
    """A resource has more bytes than were asked for."""

    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_RESOURCE_TOO_LARGE).removeprefix(_PREFIX)

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri!r} has more bytes than it may", uri=uri)


class ResourceNotFoundError(NotFoundError):
    """The server knows no such resource."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"there is no resource {uri!r}", kind="resource", id=uri)
