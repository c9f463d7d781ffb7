"""The built-in tool by which an agent asks a person; its call is the question."""

import hashlib
from typing import Any, cast

import orjson

from turnpike.agent_runtime.approvals.model import Item, Kind, Question, Subject
from turnpike.agent_runtime.approvals.schemas import is_schema, parse, problems

ASK_PERSON = "turnpike/ask_person"

DESCRIPTION = (
    "Asks the person one to four questions, and waits for the answers, for hours if need be. Use it"
    " when only a person can know or decide; not for permission to use another tool."
)
_QUESTION: dict[str, Any] = {
    "type": "object",
    "required": ["id", "question"],
    "additionalProperties": False,
    "properties": {
        "id": {
            "type": "string",
            "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$",
            "description": "Names the answer.",
        },
        "header": {"type": "string", "maxLength": 80, "description": "A word or two."},
        "question": {"type": "string", "minLength": 1, "maxLength": 2000},
        "options": {
            "type": "array",
            "minItems": 2,
            "maxItems": 12,
            "items": {"type": "string", "minLength": 1, "maxLength": 280},
            "description": "What may be chosen; without them the person writes a text.",
        },
        "multiple": {"type": "boolean", "description": "Several options may be chosen."},
        "schema": {
            "type": "object",
            "description": "A JSON Schema of the answer, instead of options.",
        },
        "default": {"description": "The answer if nobody gives one in time."},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["questions"],
    "additionalProperties": False,
    "properties": {
        "questions": {"type": "array", "minItems": 1, "maxItems": 4, "items": _QUESTION}
    },
}
SCHEMA_TEXT = orjson.dumps(SCHEMA, option=orjson.OPT_SORT_KEYS).decode()
DIGEST = "sha256:" + hashlib.sha256((DESCRIPTION + SCHEMA_TEXT).encode()).hexdigest()


def question_item(call_id: str, arguments: str) -> Item:
    """Returns what a person is asked by a call; raises `ValueError` for the model to read."""
    asked = parse(arguments)
    if wrong := problems(SCHEMA_TEXT, asked):
        raise ValueError("; ".join(wrong))
    questions = [_question(each) for each in cast("dict[str, Any]", asked)["questions"]]
    if len({each.id for each in questions}) < len(questions):
        raise ValueError("two questions have the same id")
    return Item(
        call_id=call_id,
        name=ASK_PERSON,
        arguments=arguments,
        reason="the agent asks",
        kinds=(Kind.ANSWER, Kind.REJECT),
        subject=Subject.QUESTION,
        digest=DIGEST,
        questions=tuple(questions),
    )


def _question(asked: dict[str, Any]) -> Question:
    schema = asked.get("schema")
    if schema is not None and ("options" in asked or not is_schema(schema)):
        raise ValueError(f"{asked['id']}: its schema is none, or it has options too")
    return Question(
        id=asked["id"],
        header=asked.get("header", ""),
        text=asked["question"],
        options=tuple(asked.get("options", ())),
        multiple=asked.get("multiple", False),
        schema=orjson.dumps(schema).decode() if schema is not None else "",
        default=orjson.dumps(asked["default"]).decode() if "default" in asked else "",
    )
