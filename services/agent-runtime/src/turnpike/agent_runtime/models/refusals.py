"""What a provider's refusal means, whatever its wire format."""

import errno
from collections.abc import Iterator, Mapping

from turnpike.agent_runtime.models.prompt import ModelError
from turnpike.agent_runtime.models.retry_after import retry_after

REASONS = {
    "RATE_LIMITED": "PROVIDER_RATE_LIMITED",
    "OVERLOADED": "PROVIDER_OVERLOADED",
    "QUOTA_EXHAUSTED": "PROVIDER_QUOTA_EXHAUSTED",
    "AUTHENTICATION": "PROVIDER_AUTHENTICATION",
    "CONTEXT_LENGTH": "CONTEXT_LENGTH_EXCEEDED",
    "CONTENT_FILTERED": "CONTENT_FILTERED",
    "PROVIDER_ERROR": "PROVIDER_ERROR",
    "PROVIDER_UNREACHABLE": "PROVIDER_UNREACHABLE",
    "TIMEOUT": "DEADLINE_EXCEEDED",
    "MODEL_UNUSABLE": "MODEL_UNUSABLE",
    "OWN_KEY_REQUIRED": "OWN_KEY_REQUIRED",
}
"""What ends a turn or a probe, by what a model call failed of."""

_TOO_MANY_REQUESTS, _PAYMENT_REQUIRED, _UNAVAILABLE, _OVERLOADED = 429, 402, 503, 529
_LATER = frozenset({408, 409, 425})
_UNAUTHENTICATED = frozenset({401, 403})
_SERVER_ERROR = 500
_LONGEST = 500

# What providers write, in lower case, in their codes or in their prose.
_PHRASES = (
    (
        "CONTENT_FILTERED",
        ("content_filter", "content_policy", "contentpolicy", "content management policy"),
    ),
    (
        "CONTEXT_LENGTH",
        (
            "context_length",
            "contextwindow",
            "maximum context length",
            "context window",
            "prompt is too long",
            "input is too long",
            "input token count",
        ),
    ),
    # Said with 429, too, by those whose credit is used up: waiting does not help.
    ("QUOTA_EXHAUSTED", ("insufficient_quota", "credit balance is too low", "billing_error")),
    ("OVERLOADED", ("overloaded",)),
    ("RATE_LIMITED", ("rate_limit", "ratelimit", "throttlingexception", "resource_exhausted")),
    ("AUTHENTICATION", ("authentication_error", "invalid_api_key", "permission_error")),
)
_PASSING = frozenset({"RATE_LIMITED", "OVERLOADED"})


def refusal(
    status: int, said: str, headers: Mapping[str, str], *, secret: str, kind: str = ""
) -> ModelError:
    """Returns the error that an HTTP status stands for.

    Args:
        status: The status.
        said: What the provider said; shown to whoever started the turn.
        headers: The response's, of whatever mapping.
        secret: The credential, taken out of what is shown.
        kind: The provider's own codes of the error, in whatever form.
    """
    reason = reason_of(f"{kind} {said}") or _by_status(status)
    if reason == "RATE_LIMITED" and status in _UNAUTHENTICATED:
        reason = "AUTHENTICATION"
    wait = retry_after(headers)
    later = status >= _SERVER_ERROR or status in _LATER
    transient = reason in _PASSING or (reason == "PROVIDER_ERROR" and later)
    message = f"the provider answered {status}: {shown(said, secret)}"
    return ModelError(reason, message, transient=transient, retry_after=wait)


def reason_of(said: str) -> str:
    """Returns what a provider's words stand for; empty when they say nothing of the kind."""
    lowered = said.lower()
    for reason, phrases in _PHRASES:
        if any(phrase in lowered for phrase in phrases):
            return reason
    return ""


def _by_status(status: int) -> str:
    if status == _TOO_MANY_REQUESTS:
        return "RATE_LIMITED"
    if status in (_UNAVAILABLE, _OVERLOADED):
        return "OVERLOADED"
    if status == _PAYMENT_REQUIRED:
        return "QUOTA_EXHAUSTED"
    return "AUTHENTICATION" if status in _UNAUTHENTICATED else "PROVIDER_ERROR"


def unreachable(error: BaseException, *, secret: str) -> ModelError:
    """Returns the error that a failed connection stands for."""
    refused = any(getattr(each, "errno", None) == errno.EACCES for each in _chain(error))
    message = f"the provider cannot be reached: {shown(str(error), secret)}"
    # An address that may not be reached will not become another by waiting.
    reason = "MODEL_UNUSABLE" if refused else "PROVIDER_UNREACHABLE"
    return ModelError(reason, message, transient=not refused)


def shown(said: str, secret: str) -> str:
    """Returns what may be shown of a provider's words: bounded, without the credential."""
    text = said.replace(secret, "…") if secret else said
    # Postgres stores no NUL, and protobuf no half of a surrogate pair.
    return text.replace("\0", "")[:_LONGEST].encode("utf-8", "replace").decode()


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
