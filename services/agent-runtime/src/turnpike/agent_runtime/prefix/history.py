"""One session's requests, from what is ledgered on; no I/O."""

from collections.abc import Sequence
from dataclasses import replace

from turnpike.agent_runtime.prefix.elements import chained, size
from turnpike.agent_runtime.prefix.model import Entry, Miss, Reason, Reported, Sent
from turnpike.agent_runtime.prefix.predicting import Rules, judge, predict
from turnpike.agent_runtime.prefix.reconciling import Opening

_BYTES_PER_TOKEN = 4


class History:
    """What is sent, request by request: elements are only ever added.

    `send` before each request, `entry` with each commit, `commit` once it stands.
    """

    def __init__(self, session: str, opening: Opening, *, template: str = "") -> None:
        self.session = session
        self.elements = list(opening.elements)
        """The tools, then the messages."""

        self.predicted = 0
        """How many tokens of the last request the provider should have had."""

        self._template = template
        self._head = opening.head
        self._epoch = opening.epoch
        self._kept = opening.kept
        self._shared = opening.shared
        self._miss = opening.miss
        self._expected: Miss | None = None
        self._asked = Sent()
        self._provider = ""
        self._model, self._route = self._head.model, self._head.route
        self._summary, self._summarised = self._head.summary, self._head.summarised

    @property
    def revision(self) -> int:
        """The last commit that this goes on from."""
        return self._head.revision

    @property
    def epoch(self) -> int:
        """The epoch of what is sent."""
        return self._epoch

    @property
    def summarised(self) -> int:
        """The position of the last turn that is summed up; 0 when none is."""
        return self._summarised

    def send(
        self,
        further: Sequence[bytes],
        *,
        model: str,
        route: str,
        rules: Rules,
        provider: str = "",
    ) -> Sequence[bytes]:
        """Returns the elements of a request, with what it adds to the ones before.

        Args:
            further: Elements after those that are known.
            model: Who is asked.
            route: By which endpoint and key.
            rules: How the provider keeps prompts.
            provider: Who that is.
        """
        self._provider = provider
        self.elements.extend(further)
        if self._head.revision and self._model != model:
            # Caches are a model's own.
            self._epoch, self._kept = self._epoch + 1, 0
        self._model, self._route = model, route
        self.predicted, miss = predict(
            self._head, model=model, route=route, shared=self._shared, rules=rules
        )
        self._expected = self._miss or miss
        self._asked = Sent(elements=len(self.elements), bytes=size(self.elements))
        return self.elements

    def compact(self, elements: Sequence[bytes], *, summary: str, through: int) -> None:
        """Begins an epoch in which a summary stands for what was said before."""
        self.elements = list(elements)
        self._summary, self._summarised = summary, through
        self._epoch, self._kept, self._shared = self._head.epoch + 1, 0, 0
        self._miss = Miss(Reason.EPOCH_COMPACTION)

    def entry(
        self,
        added: Sequence[bytes],
        reported: Reported | None,
        *,
        label: str,
        interrupted: bool = False,
    ) -> Entry:
        """Returns what a commit writes.

        Args:
            added: What follows the last request: a reply, or the answers to its calls.
            reported: What the provider said of the request; None when there was none.
            label: Where it came from, for a person.
            interrupted: The reply was cut.
        """
        elements = [*self.elements, *added]
        fresh = elements[self._kept :]
        before = self._head.chain if self._kept else b""
        return Entry(
            session=self.session,
            revision=self._head.revision + 1,
            epoch=self._epoch,
            first=self._kept,
            elements=fresh,
            count=len(elements),
            size=size(elements),
            chain=chained(before, fresh),
            model=self._model,
            route=self._route,
            template=self._template,
            sent=self._sent(reported) if reported else self._head.sent,
            predicted=self.predicted,
            reported=reported,
            miss=judge(self.predicted, self._expected, reported) if reported else self._miss,
            label=label,
            interrupted=interrupted,
            summary=self._summary,
            summarised=self._summarised,
            provider=self._provider,
        )

    def commit(self, entry: Entry) -> None:
        """Says that an entry stands."""
        self.elements = [*self.elements[: entry.first], *entry.elements]
        self._kept = entry.count
        self._shared = entry.sent.bytes
        self._head = replace(
            self._head,
            revision=entry.revision,
            epoch=entry.epoch,
            count=entry.count,
            chain=entry.chain,
            model=entry.model,
            route=entry.route,
            sent=entry.sent,
            idle=self._head.idle * 0 if entry.reported else self._head.idle,
            interrupted=entry.interrupted,
        )
        if entry.reported:
            self._miss = None

    def _sent(self, reported: Reported) -> Sent:
        tokens = reported.prompt_tokens or self._asked.bytes // _BYTES_PER_TOKEN
        return replace(self._asked, tokens=tokens)
