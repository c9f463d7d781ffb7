"""Filters of what people write, in requests and replies, and as the services know them."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from turnpike.api.agent_runtime.v1 import policy_pb2 as pb
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text


class TextFilter(Request):
    """What becomes of texts that people write and that a pattern matches."""

    name: Name
    pattern: Annotated[
        Text, Field(min_length=1, max_length=1000, description="Searched for; in RE2's syntax.")
    ]
    action: Annotated[
        Literal["REFUSE", "MASK"],
        Field(description="`MASK`: the filter's name, in brackets, stands for what matches."),
    ]
    reason: Annotated[Text, Field(max_length=500, description="For whoever wrote the text.")] = ""


class TextFilterReply(Reply):
    """What becomes of texts that people write and that a pattern matches."""

    name: str
    pattern: str
    action: str
    reason: str


def filter_messages(filters: Iterable[TextFilter]) -> list[pb.TextFilter]:
    """Returns filters as the services know them."""
    return [
        pb.TextFilter(
            name=each.name,
            pattern=each.pattern,
            action=f"TEXT_FILTER_ACTION_{each.action}",
            reason=each.reason,
        )
        for each in filters
    ]


def filter_replies(filters: Iterable[pb.TextFilter]) -> list[TextFilterReply]:
    """Returns filters for a reply."""
    return [
        TextFilterReply(
            name=each.name,
            pattern=each.pattern,
            action=pb.TextFilterAction.Name(each.action).removeprefix("TEXT_FILTER_ACTION_"),
            reason=each.reason,
        )
        for each in filters
    ]
