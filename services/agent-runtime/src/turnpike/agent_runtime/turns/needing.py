"""What people are asked about calls that the effect ledger could not end."""

import orjson

from turnpike.agent_runtime.approvals.checking import answers_of
from turnpike.agent_runtime.approvals.model import (
    NOBODY,
    SIGN_IN,
    Item,
    Kind,
    Question,
    Subject,
)
from turnpike.agent_runtime.approvals.reviews import Review
from turnpike.agent_runtime.tools.effects import Answer, EffectState, Need
from turnpike.agent_runtime.turns.model import Call
from turnpike.agent_runtime.turns.reviewing import Run

_UNKNOWN = (
    "Whether the call had its effect is not known: its executor died, or its server did not answer."
    " Run again, the first one may still land."
)


def outcome_item(call: Call, run: Run, state: EffectState) -> Item:
    """Returns what somebody is asked about a call whose outcome nobody knows."""
    return Item(
        call_id=call.call_id,
        name=call.name,
        arguments=run.arguments,
        reason=_UNKNOWN,
        kinds=(Kind.VERIFY, Kind.DONE, Kind.NOT_DONE, Kind.RUN_AGAIN),
        subject=Subject.OUTCOME,
        digest=run.digest,
        generation=state.generation,
    )


def need_item(call: Call, run: Run, state: EffectState) -> Item:
    """Returns what somebody is asked for that a call wants from a person."""
    return Item(
        call_id=call.call_id,
        name=call.name,
        arguments=run.arguments,
        reason="; ".join(dict.fromkeys(_told(need) for need in state.needs)),
        kinds=(Kind.ANSWER, Kind.REJECT),
        subject=Subject.NEED,
        digest=run.digest,
        questions=tuple(_question(need) for need in state.needs),
        generation=state.generation,
    )


def needed_answers(review: Review) -> list[Answer]:
    """Returns what a person gave to each need that takes an answer, or that they gave none."""
    asked = [each for each in review.item.questions if each.header != SIGN_IN]
    if review.decision.kind == Kind.REJECT:
        # Nobody said anything, or somebody said no: servers are told which.
        action = "CANCEL" if review.decision.principal == NOBODY else "DECLINE"
        return [Answer(key=each.id, content="", action=action) for each in asked]
    given = answers_of(review.item, review.decision)
    return [
        Answer(
            key=question.id,
            content=orjson.dumps(given[question.id]).decode() if question.id in given else "",
        )
        for question in asked
    ]


def _told(need: Need) -> str:
    if need.kind == "SIGN_IN":
        return f"{need.connector!r} wants the requester to sign in"
    return f"{need.connector!r} asks something"


def _question(need: Need) -> Question:
    sign_in = need.kind == "SIGN_IN"
    return Question(
        id=need.key,
        text=need.message,
        header=SIGN_IN if sign_in else "",
        schema=need.schema,
        url=need.url,
        # Where it leads, or what is done elsewhere, is all; the person says when.
        action=sign_in or not need.schema,
    )
