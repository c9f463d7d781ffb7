"""Parameters that many routes take."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query

from turnpike.gateway.requests import if_match

PageSize = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
PageToken = Annotated[
    str, Query(max_length=1024, description="The `next_page_token` of the page before.")
]
ValidateOnly = Annotated[bool, Query(description="Check, and change nothing.")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="Fail with 412 unless this is the ETag.")
]


# A coroutine, though it waits for nothing: FastAPI runs others in threads.
async def _page(page_size: PageSize = 50, page_token: PageToken = "") -> dict[str, Any]:
    return {"page_size": page_size, "page_token": page_token}


Page = Annotated[dict[str, Any], Depends(_page)]
"""In a route's signature: which page is asked for, as the fields of the rpc's request."""


@dataclass(frozen=True, slots=True)
class Write:
    """Over what a PUT writes, and whether it writes at all."""

    if_match: str | None
    validate_only: bool

    @property
    def etag(self) -> str:
        """The version that it is bound to; empty for any.

        Raises:
            ProblemError: The header names none of ours.
        """
        return if_match(self.if_match)

    @property
    def update(self) -> dict[str, Any]:
        """The fields of an update; one that is bound to no version creates what is missing.

        Raises:
            ProblemError: The header names none of ours.
        """
        return {
            "etag": self.etag,
            "allow_missing": self.if_match is None,
            "validate_only": self.validate_only,
        }


async def _write(if_match_header: IfMatch = None, validate_only: ValidateOnly = False) -> Write:
    return Write(if_match_header, validate_only)


CurrentWrite = Annotated[Write, Depends(_write)]
"""In a route's signature: how a PUT is to be done."""
