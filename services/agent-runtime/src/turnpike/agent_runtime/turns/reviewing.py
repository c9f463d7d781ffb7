"""What becomes of each call of a step: by policy, and by what people decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from turnpike.agent_runtime.approvals.checking import answers_of
from turnpike.agent_runtime.approvals.model import NOBODY, Decision, Item, Kind, Subject
from turnpike.agent_runtime.approvals.questions import ASK_PERSON, question_item
from turnpike.agent_runtime.approvals.reviews import Review, Reviews
from turnpike.agent_runtime.policy import judgement as policy
from turnpike.agent_runtime.policy.judging import Judge
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.loading import Skillset
from turnpike.agent_runtime.turns.model import Call

_CLOSING = {policy.Kind.DENY: "DENIED", policy.Kind.REJECT: "REJECTED"}
_REJECTED = "A person rejected the call; it did not run."
_DRIFTED = "{!r} is not what it was"
_UNDECIDED = "Nobody decided in time; the call did not run."
_DECLINED = "A person declined to answer what the server asked."
_UNANSWERED = "Nobody answered in time what the server asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The call runs."""

    arguments: str
    digest: str
    note: str = ""
    """What the model is told before the result."""

    since: datetime | None = None
    """When it was approved: a definition that was seen before is read again."""

    review: Review | None = None

    @property
    def gave_up(self) -> bool:
        """Whether nobody answered its server in time: then it is not asked about again."""
        said = self.review
        return said is not None and _is_declined(said) and said.decision.principal == NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The call does not run."""

    outcome: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Somebody is asked first."""

    item: Item
    otherwise: Run
    """What runs if it turns out that the call was begun already."""


Plan = Run | Close | Ask


class Reviewer:
    """Says what becomes of the calls of one turn, right before they run."""

    def __init__(self, toolset: Toolset, judge: Judge, reviews: Reviews, skills: Skillset) -> None:
        self._skills = skills
        self._toolset = toolset
        self._judge = judge
        self._reviews = reviews

    async def plan(self, calls: Sequence[Call]) -> list[Plan]:
        """Returns what becomes of each call, on the bytes that would be sent."""
        runs = [self._wanted(call) for call in calls]
        judged = [self._judged(*pair) for pair in _pairs(calls, runs)]
        loaded = self._skills.in_force((call.tool, call.arguments) for call in judged)
        verdicts = await self._judge.judge(judged, loaded)
        for call, verdict in zip(calls, verdicts, strict=True):
            call.judged = verdict.recorded
        return [
            self._plan(call, run, verdict)
            for call, run, verdict in zip(calls, runs, verdicts, strict=True)
        ]

    def _wanted(self, call: Call) -> Run:
        """Returns what would run of a call, if it runs."""
        review = self._reviews.of(call.call_id)
        if review is None:
            return Run(arguments=call.arguments or "{}", digest=call.definition_digest)
        edited = review.decision.kind == Kind.EDIT
        changed = f"A person changed the arguments to {review.decision.arguments}" if edited else ""
        arguments = review.decision.arguments if edited else review.item.arguments
        return Run(
            arguments=arguments,
            digest=review.item.digest,
            note=changed or _declined(review),
            since=review.at,
            review=review,
        )

    def _judged(self, call: Call, run: Run) -> policy.ToolCall:
        tool = self._toolset.named(call.name)
        connector = tool.connector if tool else ""
        return policy.ToolCall(
            tool=call.name,
            arguments=run.arguments,
            digest=run.digest,
            read_only=self._toolset.reads_only(call.name, run.digest),
            connector=connector,
            grantable=bool(connector),
        )

    def _plan(self, call: Call, run: Run, verdict: policy.Verdict) -> Plan:
        # A call with a digest was known when it was asked for; the ledger may
        # hold it even if the tool is gone by now.
        if not call.definition_digest:
            return Close(outcome="ERROR", text=f"there is no tool {call.name!r}")
        if run.review is not None and (said := _said(run.review)):
            return said
        # What may have happened is not undone by what policy says now.
        if _subject(run) == Subject.OUTCOME:
            return run
        if closing := _CLOSING.get(verdict.kind):
            return Close(outcome=closing, text=verdict.reason)
        if call.name == ASK_PERSON:
            return _asked(call, run)
        if _subject(run) == Subject.NEED:
            return run
        if verdict.kind is policy.Kind.ASK and not self._stands(call, run, verdict):
            return self._ask(call, run, verdict)
        return run

    def _stands(self, call: Call, run: Run, verdict: policy.Verdict) -> bool:
        """Says whether what people said before covers a call that policy asks about."""
        if run.review is not None:
            return not self._changed(call, run.review, verdict)
        always = verdict.source is not policy.Source.TENANT
        return always and (call.name, run.digest) in self._reviews.always

    def _changed(self, call: Call, review: Review, verdict: policy.Verdict) -> bool:
        """Says whether it is not what was decided on: the tool, its connector, or the rule."""
        tool = self._toolset.named(call.name)
        seen = (review.item.digest, review.item.connector_identity)
        drifted = tool is not None and (tool.digest, tool.connector) != seen
        return drifted or verdict.reason != review.item.reason

    def _ask(self, call: Call, run: Run, verdict: policy.Verdict) -> Ask | Close:
        tool = self._toolset.named(call.name)
        if run.review is None and tool is not None and tool.digest != run.digest:
            # What a person would approve is not what the model found and wrote this for.
            return Close(outcome="ERROR", text=_DRIFTED.format(call.name))
        item = Item(
            call_id=call.call_id,
            name=call.name,
            arguments=run.arguments,
            reason=verdict.reason,
            kinds=verdict.decisions,
            digest=tool.digest if tool else run.digest,
            connector_identity=tool.connector if tool else "",
            schema=tool.input_schema if tool else "",
            grantable=policy.APPROVE_ALWAYS in verdict.decisions,
        )
        return Ask(item=item, otherwise=run)


def _pairs(calls: Sequence[Call], runs: Sequence[Run]) -> list[tuple[Call, Run]]:
    return list(zip(calls, runs, strict=True))


def _subject(run: Run) -> str:
    return run.review.item.subject if run.review is not None else Subject.CALL


def _asked(call: Call, run: Run) -> Plan:
    """Returns what becomes of a call that is a question itself."""
    if run.review is not None:
        answers = answers_of(run.review.item, run.review.decision)
        return Close(outcome="OK", text=orjson.dumps(answers).decode())
    try:
        return Ask(item=question_item(call.call_id, run.arguments), otherwise=run)
    except ValueError as error:
        return Close(outcome="ERROR", text=str(error))


def _said(review: Review) -> Close | None:
    """Returns how a decision ends a call that does not run; None when it runs, or may."""
    decision = review.decision
    if decision.kind == Kind.RESPOND:
        return Close(outcome="OK", text=decision.text)
    if decision.kind == Kind.REJECT and not _is_declined(review):
        return Close(outcome="REJECTED", text=_rejection(decision))
    return None


def _is_declined(review: Review) -> bool:
    """Says whether the server that asked is told that it gets no answer; it ends the call."""
    item = review.item
    refused = review.decision.kind == Kind.REJECT
    return refused and item.subject == Subject.NEED and not item.is_sign_in


def _declined(review: Review) -> str:
    """Returns what the model is told of a question that a server got no answer to."""
    if not _is_declined(review):
        return ""
    if review.decision.principal == NOBODY:
        return _UNANSWERED
    feedback = review.decision.feedback
    return f"{_DECLINED} They say: {feedback}" if feedback else _DECLINED


def _rejection(decision: Decision) -> str:
    if not decision.principal.int:
        return _UNDECIDED
    return f"{_REJECTED} They say: {decision.feedback}" if decision.feedback else _REJECTED


def text_result(text: str) -> str:
    """Returns a text as MCP content blocks."""
    return orjson.dumps([{"type": "text", "text": text}]).decode()
