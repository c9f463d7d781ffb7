"""What a group of tasks failed of."""

from collections.abc import Iterator

from turnpike.agent_runtime.events.model import FenceLostError


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
