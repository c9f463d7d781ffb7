"""What a reader makes of a turn's log."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnpike.cli.conversation.fold import Fold, GapError
from turnpike.cli.conversation.frames import Event, read_events

# What UTF-8 can carry.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def event(seq: int, type: str, **fields: object) -> Event:
    return Event(seq, type, {"seq": seq, "type": type, **fields})


def fold(*events: Event) -> Fold:
    folded = Fold()
    for one in events:
        folded.add(one)
    return folded


def test_the_answer_is_the_last_steps_text():
    folded = fold(
        event(1, "turn.started"),
        event(2, "step.started"),
        event(3, "text.delta", text="let me look"),
        event(4, "step.started"),
        event(5, "text.delta", text="it is "),
        event(6, "text.delta", text="noon"),
    )

    assert folded.text() == "it is noon"


def test_a_reset_takes_back_what_it_names_and_nothing_else():
    folded = fold(
        event(1, "step.started"),
        event(2, "text.delta", text="kept "),
        event(3, "text.delta", text="lost"),
        event(9, "log.reset", after_seq=2),
        event(10, "text.delta", text="new"),
    )

    assert folded.text() == "kept new"
    assert folded.seq == 10


def test_a_reset_takes_calls_back_too():
    folded = fold(
        event(1, "tool.requested", call_id="a", name="x/y", arguments={}),
        event(2, "log.reset", after_seq=0),
        event(3, "tool.requested", call_id="b", name="x/z", arguments={"n": 1}),
        event(4, "tool.finished", call_id="b", outcome="OK"),
    )

    assert [(call.name, call.outcome) for call in folded.calls()] == [("x/z", "OK")]


@pytest.mark.parametrize(
    "second",
    [event(1, "text.delta", text="again"), event(3, "text.delta", text="later")],
    ids=["repeated", "ahead"],
)
def test_an_event_out_of_order_is_refused(second: Event):
    with pytest.raises(GapError):
        fold(event(1, "text.delta", text="first"), second)


def test_a_reset_beyond_what_was_seen_is_refused():
    with pytest.raises(GapError):
        fold(event(1, "step.started"), event(9, "log.reset", after_seq=5))


def test_a_turn_has_ended_when_its_last_event_says_so():
    unfinished = fold(event(1, "step.started"))
    finished = fold(event(1, "turn.finished", status="COMPLETED"))

    assert unfinished.finish() is None
    assert finished.finish()


@given(
    st.lists(TEXT, max_size=20),
    st.integers(min_value=0, max_value=20),
    st.integers(min_value=0, max_value=5),
)
def test_whoever_read_voided_events_ends_like_whoever_did_not(
    texts: list[str], kept: int, gap: int
):
    log = [event(seq, "text.delta", text=text) for seq, text in enumerate(texts, 1)]
    kept = min(kept, len(log))
    reset = event(len(log) + 1 + gap, "log.reset", after_seq=kept)
    last = event(reset.seq + 1, "text.delta", text="end")

    early = fold(*log, reset, last)
    late = fold(*log[:kept], reset, last)

    assert early.text() == late.text() == "".join(texts[:kept]) + "end"


def test_frames_are_read_whatever_surrounds_them():
    stream = (
        b"retry: 1000\n\n: still here\n\nid: 1\r\nevent: text.delta\r\n"
        b'data: {"seq":1,"type":"text.delta",\r\ndata: "text":"a"}\r\n\r\n'
        b'id: 2\ndata: {"seq":2,"type":"turn.finished"}\n'
    )

    events = list(read_events([stream]))

    assert [(e.seq, e.type, e.fields["text"]) for e in events] == [(1, "text.delta", "a")]


@given(
    st.lists(TEXT, max_size=5),
    st.integers(min_value=1, max_value=50),
)
def test_what_was_written_as_frames_is_read_however_it_arrives(texts: list[str], size: int):
    frames = [
        {"seq": n, "type": "text.delta", "text": text} for n, text in enumerate([*texts, "\u2028"])
    ]
    stream = b"".join(b"data: %b\n\n" % orjson.dumps(frame) for frame in frames)
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]

    assert [e.fields for e in read_events(chunks)] == frames
