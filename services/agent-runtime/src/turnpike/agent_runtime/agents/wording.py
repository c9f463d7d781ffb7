"""Instructions that name a tenant's or a person's variables as `${var.NAME}`.

What stands for them is tool-registry's to say; here it is only seen that something does.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

CheckText = Callable[[UUID, UUID, str, str], Awaitable[None]]
"""Returns when a text of a tenant's principal names what models may be told; `field` is where
the request has it. Raises InvalidArgumentError."""

_OPENING = "${var."


def names_variables(instructions: str) -> bool:
    """Whether instructions name a variable."""
    return _OPENING in instructions
