"""What work failed of, alone or in a group."""

from collections.abc import Awaitable, Iterator
from typing import TypeVar

from turnpike.agent_runtime.events.model import FenceLostError

T = TypeVar("T")


async def caught(work: Awaitable[T]) -> T | Exception:
    """Returns what work came to, or what it failed of."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 # given to whoever asked, who raises it
        return error


def first_of(failures: ExceptionGroup[Exception]) -> Exception:
    """Returns what a group failed of: the lost fence if there is one, at any depth."""
    leaves = list(_leaves(failures))
    return next((leaf for leaf in leaves if isinstance(leaf, FenceLostError)), leaves[0])


def _leaves(failure: Exception) -> Iterator[Exception]:
    if isinstance(failure, ExceptionGroup):
        for each in failure.exceptions:
            yield from _leaves(each)
    else:
        yield failure
