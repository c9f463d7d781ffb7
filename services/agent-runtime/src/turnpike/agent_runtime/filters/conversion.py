"""Filters on the wire."""

from collections.abc import Iterable, Sequence

from turnpike.agent_runtime.filters.model import Action, TextFilter
from turnpike.agent_runtime.filters.screens import compiled
from turnpike.api.agent_runtime.v1 import policy_pb2 as pb
from turnpike.rpc.errors import InvalidArgumentError


def filters_from_proto(filters: Sequence[pb.TextFilter], path: str) -> tuple[TextFilter, ...]:
    """Returns filters in a request; `path` is where the request has them.

    Raises:
        InvalidArgumentError: A pattern is none, or a name is there twice.
    """
    seen: set[str] = set()
    for index, each in enumerate(filters):
        if each.name in seen:
            raise InvalidArgumentError(f"{path}[{index}].name", "is there twice")
        seen.add(each.name)
        try:
            compiled(each.pattern)
        except ValueError as error:
            raise InvalidArgumentError(f"{path}[{index}].pattern", str(error)) from None
    return tuple(map(_filter, filters))


def filters_to_proto(filters: Iterable[TextFilter]) -> list[pb.TextFilter]:
    """Returns filters for a response."""
    return [
        pb.TextFilter(
            name=each.name,
            pattern=each.pattern,
            action=f"TEXT_FILTER_ACTION_{each.action.value}",
            reason=each.reason,
        )
        for each in filters
    ]


def _filter(written: pb.TextFilter) -> TextFilter:
    action = pb.TextFilterAction.Name(written.action).removeprefix("TEXT_FILTER_ACTION_")
    return TextFilter(
        name=written.name,
        pattern=written.pattern,
        action=Action(action),
        reason=written.reason.replace("\0", ""),
    )
