"""What a tenant's filters make of texts.

Expressions are matched by RE2, in time linear in the text: no pattern makes a text take
for ever. The time still grows with the pattern, so that is bounded too, and the work is
done in threads, which RE2 lets run beside everything else.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import re2

from turnpike.agent_runtime.errors import TextRefusedError
from turnpike.agent_runtime.filters.counting import FILTERED
from turnpike.agent_runtime.filters.model import Action, TextFilter
from turnpike.rpc.errors import InvalidArgumentError

T = TypeVar("T")

_MOST_STEPS = 256
_MEMORY_BYTES = 1 << 20
_PATIENCE_SECONDS = 5.0
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="text-filters")


def compiled(pattern: str) -> Any:
    """Returns a pattern, ready to search; raises `ValueError` for what is none, for its writer."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    try:
        expression = re2.compile(pattern, options)
    except re2.error as error:
        [told] = error.args
        raise ValueError(told.decode() if isinstance(told, bytes) else str(told)) from None
    if expression.search("") is not None:
        raise ValueError("it matches where nothing is written")
    if expression.programsize > _MOST_STEPS:
        raise ValueError("it is too large")
    return expression


class Screen:
    """A tenant's filters, as one version of its policy has them.

    Args:
        version: That of the policy; None where there is none.
        filters: In the order in which they apply, each to what those before it left.
    """

    def __init__(self, version: UUID | None, filters: Iterable[TextFilter] = ()) -> None:
        self.version = version
        self._filters = [(each, compiled(each.pattern)) for each in filters]

    async def passed(self, screened: Callable[["Screen", T], T], said: T) -> T:
        """Returns what filters leave of what somebody said, by the function that screens it.

        Raises:
            TextRefusedError: A filter refuses it.
            InvalidArgumentError: It can not be searched.
        """
        if not self._filters:
            return said
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_THREADS, screened, self, said)

    def text(self, field: str, text: str) -> str:
        """Returns what is left of a text; raises as `passed` does."""
        until = time.monotonic() + _PATIENCE_SECONDS
        for each, expression in self._filters:
            if time.monotonic() > until:
                raise InvalidArgumentError(field, "is too long for the tenant's filters")
            try:
                text = _applied(each, expression, field, text)
            except UnicodeEncodeError:
                raise InvalidArgumentError(field, "has half a character") from None
        return text

    def value(self, field: str, value: Any) -> Any:
        """Returns what is left of a JSON value, whose texts are screened; its names are not."""
        if isinstance(value, str):
            return self.text(field, value)
        if isinstance(value, list):
            items: list[Any] = value
            return [self.value(field, each) for each in items]
        if isinstance(value, dict):
            members: dict[str, Any] = value
            return {name: self.value(field, each) for name, each in members.items()}
        return value

    def untouched(self, field: str, value: Any) -> None:
        """Raises `TextRefusedError` unless every filter leaves a JSON value as it is."""
        for each, _ in self._filters:
            alone = Screen(self.version, [each])
            if alone.value(field, value) != value:
                raise TextRefusedError(field, each.name, each.reason)


def _applied(one: TextFilter, expression: Any, field: str, text: str) -> str:
    if one.action is Action.MASK:
        masked, found = expression.subn(lambda _: f"[{one.name}]", text)
        FILTERED.labels(action="MASK").inc(found > 0)
        return masked
    if expression.search(text) is not None:
        FILTERED.labels(action="REFUSE").inc()
        raise TextRefusedError(field, one.name, one.reason)
    return text
