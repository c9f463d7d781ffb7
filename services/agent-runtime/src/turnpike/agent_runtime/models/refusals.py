"""What a provider's refusal means, whatever its wire format."""

import errno
from collections.abc import Iterator, Mapping

from turnpike.agent_runtime.models.prompt import ModelError
from turnpike.agent_runtime.models.retry_after import retry_after

TOO_MANY_REQUESTS = 429

_OVERLOADED = frozenset({408, 409, 425, 529})
_SERVER_ERROR = 500
# Said with 429 by those whose credit is used up: waiting does not help.
_UNPAID = "insufficient_quota"
_LONGEST = 500


def refusal(status: int, said: str, headers: Mapping[str, str], *, secret: str) -> ModelError:
    """Returns the error that an HTTP status stands for.

    Args:
        status: The status.
        said: What the provider said; shown to whoever started the turn.
        headers: The response's; names ignore case or are in lower case.
        secret: The credential, taken out of what is shown.
    """
    text, wait = shown(said, secret), retry_after(headers)
    if status == TOO_MANY_REQUESTS:
        transient = _UNPAID not in said
        return ModelError("RATE_LIMITED", text, transient=transient, retry_after=wait)
    transient = status >= _SERVER_ERROR or status in _OVERLOADED
    message = f"the provider answered {status}: {text}"
    return ModelError("PROVIDER_ERROR", message, transient=transient, retry_after=wait)


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
