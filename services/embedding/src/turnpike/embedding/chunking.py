"""How a text is divided into chunks that fit a model.

The text is tokenized once, and everything else is arithmetic on where its
tokens begin; so chunks are exact parts of the text, and cost little more than
counting it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, Self

from turnpike.embedding.boundaries import CODE, LINES, PROSE, Level
from turnpike.embedding.model import Chunk, InputEmptyError, Strategy
from turnpike.embedding.outline import Outline
from turnpike.embedding.syntax import Syntax
from turnpike.embedding.tables import Region, regions
from turnpike.rpc.errors import InvalidArgumentError


class TokenMap(Protocol):
    """Where the tokens of one text begin in it."""

    def count(self, start: int, end: int) -> int:
        """Returns how many tokens begin from `start` up to `end`, markers apart."""
        ...

    def advance(self, start: int, tokens: int) -> int | None:
        """Returns where the token begins that is `tokens` after `start`, if there is one."""
        ...

    def retreat(self, start: int, tokens: int) -> int:
        """Returns where a word begins that is at most `tokens` before `start`, or `start`."""
        ...


class Tokenizer(Protocol):
    """A model's way to read a text."""

    @property
    def markers(self) -> int:
        """How many tokens are added to each text."""
        ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the tokens of each text, markers included."""
        ...

    def locate(self, text: str) -> TokenMap:
        """Returns where the tokens of a text begin."""
        ...


_HEADER_RATIO = 4
"""How many characters for each token of a chunk a repeated header may have."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a chunk may be, and how much of it may repeat the one before."""

    max_tokens: int
    overlap: int

    @classmethod
    def within(cls, model_tokens: int, max_tokens: int, overlap: int) -> Self:
        """Returns limits that a model can keep, or raises `InvalidArgumentError`."""
        if max_tokens > model_tokens:
            raise InvalidArgumentError("max_tokens", f"must be {model_tokens} at most")
        size = max_tokens or model_tokens
        if overlap > size // 2:
            raise InvalidArgumentError("overlap", f"must be {size // 2} at most")
        return cls(size, overlap)


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    header: str = ""
    overlaps: bool = True


def chunk(
    tokenizer: Tokenizer, text: str, strategy: Strategy, limits: Limits, parsed: bytes = b""
) -> list[Chunk]:
    """Divides a text into chunks that together cover all of it, in order.

    Args:
        tokenizer: Counts.
        text: It.
        strategy: Where it is best divided.
        limits: Of its chunks.
        parsed: For code, what its parser wrote; nothing where there is none.

    Raises:
        InputEmptyError: The text has no token.
    """
    syntax = Syntax.read(parsed) if parsed else None
    division = _Division(text, tokenizer.locate(text), limits.max_tokens - tokenizer.markers)
    if division.count(0, len(text)) == 0:
        raise InputEmptyError(0)
    spans = division.fold_empty(division.divide(strategy, limits.overlap, syntax))
    fitting = _measured(tokenizer, text, division.overlapped(spans, limits.overlap), limits)
    outline = Outline(text, strategy, syntax)
    return [_chunk(text, span, tokens, outline) for span, tokens in fitting]


class _Division:
    """One text under division."""

    def __init__(self, text: str, tokens: TokenMap, room: int) -> None:
        self._text = text
        self._tokens = tokens
        self._room = room
        self.count = tokens.count

    def divide(self, strategy: Strategy, overlap: int, syntax: Syntax | None) -> Iterator[_Span]:
        levels = CODE if strategy is Strategy.CODE else PROSE
        if syntax is not None:
            levels = (*syntax.levels, *LINES)
        whole = Region(0, len(self._text), 0)
        for region in regions(self._text) if strategy is Strategy.TABLE else [whole]:
            if region.rows:
                yield from self._divide_table(region)
            else:
                yield from self._divide(region.start, region.end, self._room - overlap, levels)

    def fold_empty(self, spans: Iterator[_Span]) -> list[_Span]:
        """Joins what has no token, and could not be embedded, to the span before it."""
        folded: list[_Span] = []
        for span in spans:
            empty = self.count(span.start, span.end) == 0
            if folded and (empty or self.count(folded[-1].start, folded[-1].end) == 0):
                last = folded.pop()
                kept = last if empty else span
                folded.append(_Span(last.start, span.end, kept.header, kept.overlaps))
            else:
                folded.append(span)
        return folded

    def overlapped(self, spans: list[_Span], overlap: int) -> list[_Span]:
        """Lets each span begin up to `overlap` tokens earlier, within the one before it."""
        if not overlap:
            return spans
        overlapped = spans[:1]
        for before, span in pairwise(spans):
            if before.overlaps and span.overlaps:
                start = max(before.start, self._tokens.retreat(span.start, overlap))
                span = _Span(start, span.end)
                if start == overlapped[-1].start:
                    overlapped.pop()  # all of it is in this one
            overlapped.append(span)
        return overlapped

    def _divide(self, start: int, end: int, room: int, levels: Sequence[Level]) -> Iterator[_Span]:
        """Cuts at the best level, joins neighbours that fit, and cuts what does not again."""
        if self.count(start, end) <= room:
            yield _Span(start, end)
        elif levels:
            for first, last in self._joined(start, self._cuts(start, end, levels[0]), room):
                yield from self._divide(first, last, room, levels[1:])
        else:
            yield from self._cut_anywhere(start, end, room)

    def _cuts(self, start: int, end: int, level: Level) -> Iterator[int]:
        for cut in level(self._text[start:end], start):
            if 0 < cut < end - start:
                yield start + cut
        yield end

    def _joined(self, start: int, cuts: Iterator[int], room: int) -> Iterator[tuple[int, int]]:
        end = start
        for cut in cuts:
            if end > start and self.count(start, cut) > room:
                yield start, end
                start = end
            end = cut
        yield start, end

    def _cut_anywhere(self, start: int, end: int, room: int) -> Iterator[_Span]:
        while self.count(start, end) > room:
            cut = self._tokens.advance(start, room) or end
            # One character can be several tokens, and cannot be cut.
            cut = min(max(cut, start + 1), end)
            yield _Span(start, cut)
            start = cut
        if start < end:
            yield _Span(start, end)

    def _divide_table(self, table: Region) -> Iterator[_Span]:
        """Cuts between rows, with the header before each part but the first."""
        if self.count(table.start, table.end) <= self._room:
            yield _Span(table.start, table.end, overlaps=False)
            return
        room = self._room - self.count(table.start, table.body)
        # Nor may a header of few but huge words make the answer many times the text.
        if room < self._room // 2 or table.body - table.start > _HEADER_RATIO * self._room:
            for span in self._divide(table.start, table.end, self._room, PROSE):
                yield _Span(span.start, span.end, overlaps=False)
            return
        header = self._text[table.start : table.body]
        for first, last in self._joined(table.body, iter(table.rows), room):
            for span in self._divide(first, last, room, PROSE[2:]):
                at_top = span.start == table.body
                start = table.start if at_top else span.start
                yield _Span(start, span.end, "" if at_top else header, overlaps=False)


def _measured(
    tokenizer: Tokenizer, text: str, spans: list[_Span], limits: Limits
) -> list[tuple[_Span, int]]:
    """Counts each part by itself, as Embed will.

    Only a cut inside a word can make a part longer than it was within the
    text; such a part is halved until it fits.
    """
    encoded = tokenizer.encode([span.header + text[span.start : span.end] for span in spans])
    measured: list[tuple[_Span, int]] = []
    for span, ids in zip(spans, encoded, strict=True):
        if len(ids) > limits.max_tokens and span.end - span.start > 1:
            middle = (span.start + span.end) // 2
            halves = [
                _Span(span.start, middle, span.header),
                _Span(middle, span.end, span.header),
            ]
            measured += _measured(tokenizer, text, halves, limits)
        else:
            measured.append((span, len(ids)))
    return measured


def _chunk(text: str, span: _Span, tokens: int, outline: Outline) -> Chunk:
    first, last = outline.lines(span.start, span.end)
    return Chunk(
        text=text[span.start : span.end],
        start=span.start,
        end=span.end,
        tokens=tokens,
        header=span.header,
        headings=outline.headings(span.start),
        first_line=first,
        last_line=last,
    )
