"""What readers are given, of any log, wherever it is read and however often they reconnect."""

from dataclasses import dataclass, field
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent_runtime.events.made import (
    as_json,
    documented_fold,
    end,
    order_faults,
    reset,
    seqs,
    started,
    step,
    text,
    texts,
)
from turnpike.agent_runtime.events.fold import fold, standing
from turnpike.agent_runtime.events.model import following, follows
from turnpike.agent_runtime.events.tails import Tail
from turnpike.api.agent_runtime.v1.event_pb2 import Event

RESERVE = 1000

fold_as_documented = documented_fold()


def test_the_next_number_follows():
    assert follows(3, text(4))
    assert not follows(3, text(3))
    assert not follows(3, text(5))


def test_a_reset_follows_whatever_it_voids():
    assert all(follows(cursor, reset(9, 3)) for cursor in range(3, 9))
    assert not follows(2, reset(9, 3))
    assert not follows(9, reset(9, 3))


def test_nothing_is_given_beyond_a_gap():
    assert seqs(following(2, [*texts(1, 4), *texts(6, 7)])) == [3, 4]


def test_a_tail_sends_who_is_too_far_behind_elsewhere():
    tail = Tail(uuid4(), base=5)
    tail.feed(texts(6, 8))

    assert tail.after(4) is None
    assert seqs(tail.after(5) or []) == [6, 7, 8]
    assert tail.after(8) == []


def test_a_tail_that_missed_something_sends_everybody_elsewhere():
    tail = Tail(uuid4(), base=5)
    tail.feed(texts(6, 7))
    tail.feed(texts(10, 11))

    assert tail.after(7) is None
    assert seqs(tail.after(9) or []) == [10, 11]


def test_a_tail_that_missed_what_stands_before_a_reset_sends_everybody_elsewhere():
    tail = Tail(uuid4(), base=5)
    tail.feed([text(6), reset(20, 9), text(21)])

    assert tail.after(6) is None
    assert seqs(tail.after(19) or []) == [20, 21]


def test_a_tail_holds_no_more_than_its_share():
    tail = Tail(uuid4(), base=0)
    tail.feed(texts(1, 2000))

    assert tail.after(1000) is None
    assert len(tail.after(1500) or []) == 500


def test_a_tail_is_not_confused_by_what_it_has_already():
    tail = Tail(uuid4(), base=0)
    tail.feed(texts(1, 4))
    tail.feed([*texts(2, 4), reset(5, 1), text(6)])
    tail.feed(texts(1, 4))

    assert seqs(tail.after(0) or []) == [1, 5, 6]
    assert seqs(tail.after(3) or []) == [5, 6]


@dataclass
class Written:
    """A log as its owners write it, and what can be read of it now."""

    events: list[Event] = field(default_factory=list[Event])
    """Everything that was ever shown, in order."""

    cached: list[Event] = field(default_factory=list[Event])
    """What is in Redis."""

    committed: list[Event] = field(default_factory=list[Event])
    """What is in Postgres."""

    pending: list[Event] = field(default_factory=list[Event])
    """Shown, and not committed yet."""

    last: int = 0
    mark: int = 0
    reserved: int = RESERVE
    steps: int = 0

    @property
    def committed_seq(self) -> int:
        return self.committed[-1].seq if self.committed else 0

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.cached.append(event)
        self.pending.append(event)
        self.last = event.seq

    def commit(self) -> None:
        before = self.committed_seq
        self.committed.extend(self.pending)
        self.pending = []
        self.mark = self.last
        self.reserved = self.last + RESERVE
        self.cached = [event for event in self.cached if event.seq >= before]

    def reset(self, seq: int, after_seq: int) -> None:
        self.cached = [event for event in self.cached if event.seq <= after_seq]
        self.pending = [event for event in self.pending if event.seq <= after_seq]
        self.add(reset(seq, after_seq))
        self.commit()

    def act(self, action: str) -> None:
        match action:
            case "say":
                self.add(text(self.last + 1))
            case "step":
                self.steps += 1
                self.add(step(self.last + 1, self.steps))
                self.mark = self.last
            case "commit":
                self.add(started(self.last + 1))
                self.commit()
            case "cut":
                self.reset(self.last + 1, self.mark)
            case "take over":
                self.reset(self.last + 1, self.committed_seq)
            case "lose redis":
                # The owner lives: it writes the same numbers again.
                self.cached = list(self.pending)
            case "commit beside redis":
                self.add(started(self.last + 1))
                self.commit()
                self.cached = []
            case _:
                # Redis and the owner are lost together.
                self.cached = []
                self.reset(self.reserved + 1, self.committed_seq)


@dataclass
class Given:
    """A reader, who reads here or there, a few events at a time."""

    cursor: int = 0
    events: list[Event] = field(default_factory=list[Event])

    def read(self, source: list[Event], at_most: int) -> None:
        for event in following(self.cursor, source)[:at_most]:
            self.events.append(event)
            self.cursor = event.seq

    def read_from(self, tail: Tail, written: Written) -> None:
        """Reads on a replica, as its readers do: the tail, then Redis, then Postgres."""
        held = tail.after(self.cursor)
        if held is None:
            self.read(written.cached, 1000)
            held = written.committed
        self.read(held, 1000)


ACTIONS = st.sampled_from(
    [
        *["say"] * 4,
        *["step", "commit", "cut", "take over", "lose redis", "commit beside redis"],
        "take over what is lost",
    ]
)
READS = st.sampled_from(["nothing", "redis", "postgres", "feed", "jump", "tail"])


@settings(max_examples=400, deadline=None)
@given(
    moments=st.lists(st.tuples(ACTIONS, READS, st.integers(1, 5)), max_size=60),
)
def test_every_reader_of_every_log_is_given_what_is_stored(
    moments: list[tuple[str, str, int]],
):
    written, tail = Written(), Tail(uuid4(), base=0)
    wanderer, watcher = Given(), Given()
    for action, read, at_most in moments:
        written.act(action)
        if read == "tail":
            watcher.read_from(tail, written)
        elif read in ("redis", "postgres"):
            source = written.cached if read == "redis" else written.committed
            wanderer.read(source, at_most)
        else:
            feed(tail, read, written)
    written.add(end(written.last + 1))
    written.commit()
    feed(tail, "feed", written)

    wanderer.read(written.committed, 1000)
    while watcher.cursor != written.last:
        before = watcher.cursor
        watcher.read_from(tail, written)
        assert watcher.cursor > before, "a reader waits for ever"

    late = Given()
    late.read(written.committed, 1000)
    assert late.events == written.committed
    for reader in (wanderer, watcher, late):
        assert_is_whole(reader.events, written)


def feed(tail: Tail, how: str, written: Written) -> None:
    """Feeds a tail what XREAD gives, or what a look at Postgres says."""
    if how == "feed":
        tail.feed([event for event in written.cached if event.seq > tail.last])
    elif how == "jump" and written.committed_seq > tail.last:
        tail.jump(written.committed_seq)


def assert_is_whole(events: list[Event], written: Written) -> None:
    """The events obey the order rule, and say what is stored, by both folds."""
    assert order_faults(0, events) == []
    assert len(set(seqs(events))) == len(events)
    assert standing(events) == written.committed
    stored = fold(written.committed)
    assert fold(events) == stored
    assert fold_as_documented([as_json(event) for event in events]) == stored.text
    assert stored.seq == written.last


@settings(max_examples=100, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=40), cut=st.integers(0, 40))
def test_a_state_at_a_number_and_the_events_after_it_are_the_whole(actions: list[str], cut: int):
    written = Written()
    for action in actions:
        written.act(action)
    known = standing(written.events[:cut])
    cursor = known[-1].seq if known else 0

    after = following(cursor, written.events)

    assert order_faults(cursor, after) == []
    assert standing([*known, *after]) == standing(written.events)


def test_the_order_rule_of_the_documentation_notices_what_breaks_it():
    assert order_faults(0, texts(1, 3)) == []
    assert order_faults(0, [text(1), text(3)]) != []
    assert order_faults(0, [text(1), text(1)]) != []
    assert order_faults(1, [reset(9, 2)]) != []
