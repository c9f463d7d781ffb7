"""Shapes that several nouns share."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from turnpike.gateway.problems import invalid_field

Item = TypeVar("Item")

# Tags of unions. They are in the paths of errors, where callers see no tags.
TEXT = "<text>"
OTHER = "<other>"

_NO_NUL = r"^[^\u0000]*$"

Text = Annotated[str, StringConstraints(pattern=_NO_NUL)]
"""Any text but NUL, which the services' store cannot hold."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Pattern = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.*-]+/[A-Za-z0-9_.*/-]+$", max_length=300)
]
Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1, max_length=64)],
        Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=512)],
    ],
    Field(max_length=32),
]


def _only_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time, as RFC 3339 writes it")  # noqa: TRY004 # pydantic's way
    return value


Instant = Annotated[datetime, Field(strict=False), BeforeValidator(_only_text)]
"""A time in a request."""

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time in a reply: UTC with microseconds."""


def in_utc(field: str, time: datetime | None) -> datetime | None:
    """Returns a time of a request in UTC; one without a zone is UTC's already.

    Raises:
        ProblemError: In UTC it is before the year 1 or after 9999.
    """
    if time is None or time.tzinfo is None:
        return time and time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise invalid_field(field, "is no time of the calendar") from error


def kind_of(value: Any) -> str:
    """Tells a text from what may stand in its place; for a union's discriminator."""
    return TEXT if isinstance(value, str) else OTHER


class Request(BaseModel):
    """What callers send: nothing unknown, and nothing of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Reply(BaseModel):
    """What callers get."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class WrongField(Reply):
    """One field of the request that is wrong."""

    field: str
    message: str


class Problem(Reply):
    """Why a request failed (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    reason: str = Field(description="For machines: the `ErrorInfo` reason of the services.")
    metadata: dict[str, str]
    errors: list[WrongField]
    trace_id: str


class OpenAiFault(Reply):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiError(Reply):
    """Why a request failed, in OpenAI's envelope."""

    error: OpenAiFault


class AnthropicFault(Reply):
    """What went wrong, in Anthropic's words."""

    type: str
    message: str


class AnthropicError(Reply):
    """Why a request failed, in Anthropic's envelope."""

    type: str
    error: AnthropicFault
    request_id: str


class Usage(Reply):
    """Tokens and money."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    cost_micro_usd: int


Result = Literal["created", "changed", "unchanged"]


def check_name(given: str | None, path: str) -> None:
    """Returns unless a body names another thing than the path does."""
    if given is not None and given != path:
        raise invalid_field("name", f"must be {path!r}, as the path says, or be left out")
