"""The reference fold follows the documented rule, and refuses what breaks the order."""

import pytest

from tests.e2e.folding import Event, Fold, OutOfOrderError


def text(seq: int, words: str) -> Event:
    return Event(seq, "text.delta", {"text": words})


def step(seq: int, number: int = 1) -> Event:
    return Event(seq, "step.started", {"step": number})


def reset(seq: int, after: int) -> Event:
    return Event(seq, "log.reset", {"after_seq": after})


def test_the_answer_is_the_last_step_s_text():
    fold = Fold([step(1), text(2, "I look. "), step(3, 2), text(4, "It is "), text(5, "four.")])

    assert fold.answer == "It is four."
    assert fold.steps == ["I look. ", "It is four."]


def test_a_reset_makes_a_reader_forget_what_was_shown():
    fold = Fold([step(1), text(2, "No"), text(3, "!"), reset(4, 1), text(5, "Yes")])

    assert fold.answer == "Yes"
    assert [event.seq for event in fold.log] == [1, 4, 5]


def test_a_late_reader_goes_from_the_cut_to_the_reset():
    fold = Fold([step(1), reset(4, 1), text(5, "Yes")])

    assert fold.answer == "Yes"


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([step(1), text(3, "x")], id="a gap"),
        pytest.param([step(1), text(1, "x")], id="a repetition"),
        pytest.param([step(1), reset(9, 4)], id="a reset that leaves a gap"),
        pytest.param([step(1), text(2, "x"), reset(2, 1)], id="a reset in the past"),
    ],
)
def test_what_breaks_the_order_is_refused(events: list[Event]):
    with pytest.raises(OutOfOrderError):
        Fold(events)
