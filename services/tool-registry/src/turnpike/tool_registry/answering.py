"""What persons give to calls that wait for it, as their servers are told."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema.exceptions import SchemaError

from turnpike.rpc.errors import InvalidArgumentError
from turnpike.tool_registry.definitions import (
    InvalidArgumentsError,
    parse_arguments,
    validator_of,
)
from turnpike.tool_registry.model import Answer, Call, Reply
from turnpike.tool_registry.needs import Need, NeedKind, needs_of


def is_waiting(call: Call, reply: Reply) -> bool:
    """Whether a call waits for something in the generation that was looked at."""
    return bool(needs_of(call)) and call.generation == reply.generation


def is_answered(call: Call, reply: Reply) -> bool:
    """Whether this very reply is what had the call go on."""
    return (
        call.generation == reply.generation + 1
        and call.resolved_by == reply.by
        and answers_of(call).get("given") == _digest(reply)
    )


def answers_of(call: Call) -> Mapping[str, Any]:
    """Returns what goes along with a call's request.

    `inputResponses` and `requestState` as the stateless protocol has them; `replies` to
    the questions of servers that ask anew, by number.
    """
    return orjson.loads(call.answers) if call.answers else {}


def carried(call: Call, reply: Reply) -> str:
    """Returns what is to go along with the call from now on.

    Raises:
        InvalidArgumentError: A need has no answer, an answer no need, or its content is
            not what was asked for.
    """
    needs = {need.key: need for need in needs_of(call) if need.kind is not NeedKind.SIGN_IN}
    given = {answer.key: answer for answer in reply.answers}
    if len(given) != len(reply.answers) or given.keys() != needs.keys():
        names = ", ".join(repr(key) for key in needs) or "nothing"
        raise InvalidArgumentError("answers", f"one is wanted for each of: {names}")
    responses = {
        answer.key: _response(f"answers[{place}].content", answer, needs[answer.key])
        for place, answer in enumerate(reply.answers)
    }
    return orjson.dumps({**_carried(call, responses), "given": _digest(reply)}).decode()


def _carried(call: Call, responses: Mapping[str, Any]) -> dict[str, Any]:
    wanted = orjson.loads(call.structured) if call.structured else {}
    before = answers_of(call)
    if not responses:
        return dict(before)
    if wanted.get("asksAgain"):
        # The call runs from its beginning: what was answered before is asked again too.
        return {"replies": {**before.get("replies", {}), **responses}}
    if "task" in wanted:
        return {"inputResponses": {**before.get("inputResponses", {}), **responses}}
    state = {"requestState": wanted["requestState"]} if "requestState" in wanted else {}
    return {"inputResponses": responses, **state}


def _response(field: str, answer: Answer, need: Need) -> dict[str, Any]:
    if answer.action != "accept" or not (need.schema or answer.content):
        if answer.content:
            raise InvalidArgumentError(field, "is for what is accepted")
        return {"action": answer.action}
    try:
        content = parse_arguments(answer.content, validator_of(_schema(need)))
    except InvalidArgumentsError as error:
        raise InvalidArgumentError(field, str(error)) from error
    if need.kind is NeedKind.ELICITATION:
        return {"action": answer.action, "content": content}
    return content


def _schema(need: Need) -> Mapping[str, Any]:
    schema = orjson.loads(need.schema) if need.schema else {}
    try:
        validator_of(schema).check_schema(schema)
    except SchemaError:
        # What the server checks is its own.
        return {}
    return schema


def _digest(reply: Reply) -> str:
    parts = [[answer.key, answer.action, answer.content] for answer in reply.answers]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
