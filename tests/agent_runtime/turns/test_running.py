"""Who runs here, when claims of one turn overtake each other."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from turnpike.agent_runtime.turns.running import Roster, Running


def claimed(turn: UUID, fence: int) -> Running:
    """Returns one claim of a turn."""
    parts: Any = [SimpleNamespace(id=turn), SimpleNamespace(fence=fence), SimpleNamespace()]
    return Running(*parts)


def test_a_claim_takes_the_place_of_an_older_one_whose_end_changes_nothing():
    roster, turn = Roster(), uuid4()
    older, newer = claimed(turn, 1), claimed(turn, 2)

    roster.enter(older)
    roster.enter(newer)
    roster.leave(older)

    assert roster.find(turn) is newer


def test_a_claim_whose_reply_was_late_leaves_the_newer_one_its_place():
    roster, turn = Roster(), uuid4()
    late, newer = claimed(turn, 1), claimed(turn, 2)

    roster.enter(newer)
    roster.enter(late)
    assert roster.find(turn) is newer
    roster.leave(late)

    assert roster.find(turn) is newer
