"""What every driver on a replica uses."""

from collections.abc import Callable
from dataclasses import dataclass

from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.tails import Tails
from turnpike.agent_runtime.models.routing import Ways
from turnpike.agent_runtime.policy.judging import Judges
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.tools.searching import ToolSearch
from turnpike.agent_runtime.turns.asking import Patience
from turnpike.agent_runtime.turns.store import TurnStore
from turnpike.agent_runtime.turns.titling import Titles


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every driver on a replica uses."""

    log: TurnLog
    tails: Tails
    store: TurnStore
    registry: Registry
    search: ToolSearch
    judges: Judges
    ways: Ways
    patience: Patience
    may_open: Callable[[], bool]
    titles: Titles
    owed: Callable[[], None]
    """Told that something is to be settled."""
