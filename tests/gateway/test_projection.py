"""What readers are told who cannot take anything back, whatever a turn's log does."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.gateway.projection import Projection
from turnpike.gateway.routes.openai.chat_form import ChatChunks
from turnpike.gateway.routes.openai.response_documents import new_document
from turnpike.gateway.routes.openai.response_form import NUMBERS, ResponseForm

NOTES: dict[str, Any] = {"turn": "t", "thread": "h"}
# Few letters: so a new text often repeats the one that was voided.
PIECES = st.lists(st.sampled_from(["a", "ab", "b", "aa"]), min_size=1, max_size=4)
ATTEMPTS = st.lists(st.tuples(PIECES, PIECES), min_size=1, max_size=3)
STEPS = st.lists(ATTEMPTS, min_size=1, max_size=3)


def log_of(steps: list[list[tuple[list[str], list[str]]]], *, thinks: bool) -> list[Event]:
    """Returns a turn's log: of each step's attempts all but the last are voided."""
    events = [Event(seq=1, turn_started={"thread": "h"})]  # pyright: ignore[reportArgumentType]

    def add(**body: Any) -> None:
        events.append(Event(seq=len(events) + 1, **body))

    for number, attempts in enumerate(steps, start=1):
        mark = len(events)
        for attempt, (thoughts, texts) in enumerate(attempts, start=1):
            if attempt > 1:
                add(log_reset={"after_seq": mark})
            add(step_started={"step": number, "attempt": attempt})
            for thought in thoughts if thinks else []:
                add(reasoning_delta={"text": thought})
            for text in texts:
                add(text_delta={"text": text})
        if number < len(steps):
            add(tool_requested={"call_id": f"c{number}", "name": "a/b", "arguments": "{}"})
            add(tool_finished={"call_id": f"c{number}", "outcome": "TOOL_OUTCOME_OK"})
    add(turn_finished={"status": "TURN_STATUS_COMPLETED"})
    return events


def standing(steps: list[list[tuple[list[str], list[str]]]]) -> list[str]:
    """Returns what the steps say in the end."""
    return ["".join(attempts[-1][1]) for attempts in steps]


def frames(told: bytes) -> list[dict[str, Any]]:
    """Returns the documents of a stream."""
    lines = [line for line in told.decode().splitlines() if line.startswith("data: {")]
    return [orjson.loads(line.removeprefix("data: ")) for line in lines]


def responses(events: list[Event], after: int = -1) -> tuple[list[dict[str, Any]], bool]:
    """Returns the events of a response after a number, and whether it was superseded."""
    form = ResponseForm(new_document("r", "m", 0), "b", after=after)
    seen = after // NUMBERS if after >= 0 else 0
    projection = Projection(form, items=True, notes=NOTES, seen=seen)
    told = frames(form.begin() + projection.take(events))
    return told, projection.failure is not None


@given(STEPS, st.booleans())
def test_a_chat_stream_is_the_turns_text_or_ends_with_an_error(steps: Any, thinks: bool):
    form = ChatChunks("c", "m", with_usage=False)
    projection = Projection(form, notes=NOTES)

    told = b"".join(projection.take([event]) for event in log_of(steps, thinks=thinks))

    documents = frames(told)
    shown = "".join(
        choice["delta"].get("content", "") for d in documents for choice in d.get("choices", ())
    )
    if projection.failure is None:
        assert shown == "\n\n".join(standing(steps))
        assert documents[-1]["choices"][0]["finish_reason"] == "stop"
    else:
        assert any(len(attempts) > 1 for attempts in steps)
        assert documents[-1]["error"]["code"] == "superseded"
    assert told.endswith(b"data: [DONE]\n\n")


@given(STEPS, st.booleans())
def test_a_response_stream_adds_up_to_its_document_or_ends_with_an_error(steps: Any, thinks: bool):
    told, superseded = responses(log_of(steps, thinks=thinks))

    numbers = [each["sequence_number"] for each in told]
    assert numbers == sorted(set(numbers))
    if superseded:
        assert any(len(attempts) > 1 for attempts in steps)
        assert (told[-1]["type"], told[-1]["code"]) == ("error", "superseded")
        return
    items: dict[int, str] = {}
    for each in told:
        if each["type"] == "response.output_text.delta":
            items[each["output_index"]] = items.get(each["output_index"], "") + each["delta"]
    output = told[-1]["response"]["output"]
    said = {i: o["content"][0]["text"] for i, o in enumerate(output) if o["type"] == "message"}
    assert items == said
    assert list(said.values()) == standing(steps)


@given(STEPS, st.booleans(), st.data())
def test_a_response_that_is_resumed_goes_on_where_it_was_or_says_that_it_cannot(
    steps: Any, thinks: bool, data: st.DataObject
):
    live, superseded = responses(log := log_of(steps, thinks=thinks))
    if superseded:
        live = live[:-1]
    cut = data.draw(st.integers(1, len(live)))
    # What was voided is not replayed: a later reader goes from there to the reset.
    voided: set[int] = set()
    for event in log:
        if event.HasField("log_reset"):
            voided |= set(range(event.log_reset.after_seq + 1, event.seq))
    replay = [event for event in log if event.seq not in voided]

    rest, again = responses(replay, after=live[cut - 1]["sequence_number"])

    if again:
        assert voided
        return
    whole: dict[str, str] = {}
    for each in live[:cut] + rest:
        if each["type"] == "response.output_text.delta":
            whole[each["item_id"]] = whole.get(each["item_id"], "") + each["delta"]
    assert [whole[f"msg_b_{step}"] for step in range(1, len(steps) + 1)] == standing(steps)


def test_a_text_that_only_repeats_is_not_told_twice():
    steps = [[(["x"], ["a", "b"]), (["x"], ["ab", "a"])]]
    form = ChatChunks("c", "m", with_usage=False)
    projection = Projection(form, notes=NOTES)

    told = frames(projection.take(log_of(steps, thinks=False)))

    deltas = [d["choices"][0]["delta"].get("content") for d in told]
    assert deltas == ["a", "b", "a", None]
    assert projection.failure is None
