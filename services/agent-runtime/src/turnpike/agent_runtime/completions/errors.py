"""How a model's failure is told to who asked it."""

from datetime import timedelta

import grpc

from turnpike.agent_runtime.errors import AgentRuntimeError
from turnpike.agent_runtime.models.prompt import ModelError


class _FailedError(AgentRuntimeError):
    """A model call failed."""

    def __init__(self, error: ModelError) -> None:
        wait = None if error.retry_after is None else timedelta(seconds=max(error.retry_after, 0))
        super().__init__(str(error), retry_after=wait)


class ProviderRefusedError(_FailedError):
    """The provider does not take the request; it never will."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PROVIDER_ERROR"


class ProviderFailedError(_FailedError):
    """The provider failed; another time it may not."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "PROVIDER_ERROR"


class ProviderRateLimitedError(_FailedError):
    """The provider says "too many requests"."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "PROVIDER_RATE_LIMITED"


class ProviderUnreachableError(_FailedError):
    """The provider cannot be reached, or cut the answer."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "PROVIDER_UNREACHABLE"


class ProviderSlowError(_FailedError):
    """The provider said nothing for too long."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class ProviderOverloadedError(_FailedError):
    """The provider says that it is overloaded."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "PROVIDER_OVERLOADED"


class ProviderQuotaExhaustedError(_FailedError):
    """The credit or quota at the provider is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "PROVIDER_QUOTA_EXHAUSTED"


class ProviderAuthenticationError(_FailedError):
    """The provider does not take the credential."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "PROVIDER_AUTHENTICATION"


class ContextLengthError(_FailedError):
    """The prompt is longer than the model takes."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "CONTEXT_LENGTH_EXCEEDED"


class ContentFilteredError(_FailedError):
    """The provider's content filter refused."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "CONTENT_FILTERED"


class OwnKeyRequiredError(_FailedError):
    """Only a key of one's own may be used, and there is none that works."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "OWN_KEY_REQUIRED"


class ModelUnusableError(_FailedError):
    """The model's configuration cannot work."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MODEL_UNUSABLE"


_OF_REASON: dict[str, type[_FailedError]] = {
    "RATE_LIMITED": ProviderRateLimitedError,
    "OVERLOADED": ProviderOverloadedError,
    "QUOTA_EXHAUSTED": ProviderQuotaExhaustedError,
    "AUTHENTICATION": ProviderAuthenticationError,
    "CONTEXT_LENGTH": ContextLengthError,
    "CONTENT_FILTERED": ContentFilteredError,
    "PROVIDER_UNREACHABLE": ProviderUnreachableError,
    "TIMEOUT": ProviderSlowError,
    "MODEL_UNUSABLE": ModelUnusableError,
    "OWN_KEY_REQUIRED": OwnKeyRequiredError,
}


def told(error: ModelError) -> AgentRuntimeError:
    """Returns what a model's failure means to who asked it."""
    otherwise = ProviderFailedError if error.transient else ProviderRefusedError
    return _OF_REASON.get(error.reason, otherwise)(error)
