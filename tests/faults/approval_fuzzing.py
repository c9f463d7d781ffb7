"""Decisions of every sort, thousands of them, and what a tool with a narrow schema then saw."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from tests.doubles.scripted_mcp import Called, Message, ScriptedServer
from tests.doubles.scripted_mcp import said as told
from tests.e2e.edge import JSON, Edge, RefusedError
from tests.faults.deciding import ASKS, begun, decide
from tests.faults.effects import KEY
from tests.faults.outcome import Outcome
from tests.faults.stage import Stage

AT_ONCE = 4
MOST_TRIES = 60
SCHEMA: Message = {
    "type": "object",
    "required": ["account", "cents"],
    "additionalProperties": False,
    "properties": {
        "account": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"},
        "cents": {"type": "integer", "minimum": 1, "maximum": 100_000},
        "note": {"type": "string", "maxLength": 20},
        "to": {
            "type": "array",
            "items": {"enum": ["ann", "bob", 3]},
            "maxItems": 3,
            "uniqueItems": True,
        },
        "when": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["day"],
                    "properties": {"day": {"type": "integer", "minimum": 1, "maximum": 31}},
                },
            ]
        },
    },
}
FITS: Message = {"account": "DE1234", "cents": 5}
UNFIT: Message = {"account": "DE1234", "cents": 0}
CALLS = ("call_1_0", "call_1_1")
KINDS = ("approve", "edit", "respond", "reject", "approve_always", "answer", "done", "run_again")
_ODD: tuple[Any, ...] = (None, True, 0, -1, 10**30, 0.5, "", "x", "DE1234", "*", [], [3, 3], {})


@dataclass
class Narrow:
    """A tool that only narrow arguments fit, and what it was called with, by turn."""

    ran: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))

    async def answer(self, called: Called) -> Message:
        """Notes a call."""
        turn = str(called.meta[KEY]).partition(":")[0]
        self.ran[turn].append(called.arguments)
        return told("paid")


@dataclass
class Tried:
    """What was sent, and what of it was taken: the arguments that may run, by turn."""

    sent: int = 0
    taken: dict[str, list[Message]] = field(default_factory=dict[str, list[Message]])
    statuses: dict[int, int] = field(default_factory=lambda: defaultdict(int))


@asynccontextmanager
async def narrow_tool(edge: Edge) -> AsyncGenerator[Narrow]:
    """Serves the tool while inside."""
    narrow = Narrow()
    server = ScriptedServer(
        [{"name": "pay", "description": "Pays.", "inputSchema": SCHEMA}], narrow.answer
    )
    async with server.listening() as place:
        await edge.call("PUT", "/connectors/narrow", {"transport": "http", "url": place})
        # What is approved for good is so for its turn alone: the next one asks again.
        await edge.call("PUT", "/policies/tenant", {"always_ask": ["narrow/*"]})
        try:
            yield narrow
        finally:
            await edge.call("PUT", "/policies/tenant", {})


async def fuzzed(stage: Stage, decisions: int) -> Outcome:
    """Sends so many decisions, most of them wrong; counts what ran."""
    edge, tried, outcome = stage.edges[0], Tried(), Outcome()
    async with narrow_tool(edge) as narrow:
        agents = [await _agent(stage, "fits", FITS), await _agent(stage, "unfit", UNFIT)]
        await asyncio.gather(
            *(
                _client(stage, agents[number == 0], tried, decisions, outcome, seed=number)
                for number in range(AT_ONCE)
            )
        )
    validator = Draft202012Validator(SCHEMA)
    ran = [arguments for each in narrow.ran.values() for arguments in each]
    outcome.faults += [f"ran with {each}" for each in ran if not validator.is_valid(each)]
    for turn in narrow.ran.keys() | tried.taken.keys():
        wanted = [each for each in tried.taken.get(turn, []) if validator.is_valid(each)]
        if _spelled(narrow.ran.get(turn, [])) != _spelled(wanted):
            outcome.faults.append(f"{turn} ran {narrow.ran.get(turn)}, decided {wanted}")
    outcome.figures = {
        "decisions": tried.sent,
        "by status": dict(sorted(tried.statuses.items())),
        "calls that ran": len(ran),
        "against the schema": sum(not validator.is_valid(each) for each in ran),
    }
    return outcome


async def _agent(stage: Stage, name: str, arguments: Message) -> str:
    script = f"n=2+calls=2+tool=narrow__pay+arg={json.dumps(arguments)}"
    spec = {**ASKS, "tools": ["narrow/*"]}
    return await stage.edges[0].agent(f"narrow-{name}", script, stage.model.url, **spec)


async def _client(
    stage: Stage, agent: str, tried: Tried, decisions: int, outcome: Outcome, *, seed: int
) -> None:
    """Has turns ask, and decides until something is taken."""
    chance = random.Random(seed)
    edge = stage.edges[seed % len(stage.edges)]
    while tried.sent < decisions:
        turn, asked = await begun(edge, agent)
        before = [each["arguments"] for each in asked["calls"]]
        for _ in range(MOST_TRIES):
            if tried.sent >= decisions or await _tried(
                edge, turn["id"], asked["approval"], before, tried, chance
            ):
                break
        if turn["id"] not in tried.taken:
            await edge.call("POST", f"/turns/{turn['id']}:cancel")
        elif (fold := await edge.read(turn["id"])).status != "COMPLETED":
            outcome.faults.append(f"{turn['id']} ended {fold.status}")
        if any(status >= 500 for status in tried.statuses):
            outcome.faults.append(f"answered {dict(tried.statuses)}")
            return


async def _tried(
    edge: Edge,
    turn: str,
    approval: str,
    before: list[Message],
    tried: Tried,
    chance: random.Random,
) -> bool:
    """Sends one body; says whether it was taken."""
    body = some_body(chance)
    tried.sent += 1
    try:
        await decide(edge, approval, body)
    except RefusedError as refusal:
        tried.statuses[refusal.status] += 1
        return False
    tried.statuses[200] += 1
    asked = dict(zip(CALLS, before, strict=True))
    tried.taken[turn] = [
        each["arguments"] if each["kind"] == "edit" else asked[each["call_id"]]
        for each in body["decisions"]
        if each["kind"] in ("approve", "approve_always", "edit")
    ]
    return True


def some_body(chance: random.Random) -> Any:
    """Returns a body: two decisions that may be right, and something done to them."""
    decisions: Any = [_decision(chance, call_id) for call_id in CALLS]
    match chance.randrange(8):
        case 0:
            decisions.append(_decision(chance, chance.choice((*CALLS, "call_9_9", ""))))
        case 1:
            decisions.pop()
        case 2:
            decisions[0][chance.choice(("call_id", "kind", "arguments", "text", "x"))] = (
                chance.choice(_ODD)
            )
        case 3 if chance.random() < 0.5:
            decisions = chance.choice(_ODD)
        case _:
            pass
    return {"decisions": decisions}


def _decision(chance: random.Random, call_id: str) -> JSON:
    kind = chance.choice(KINDS[:5]) if chance.random() < 0.7 else chance.choice((*KINDS, "run", ""))
    decision: JSON = {"call_id": call_id, "kind": kind}
    if kind == "edit" or chance.random() < 0.05:
        decision["arguments"] = _arguments(chance)
    if kind == "respond" or chance.random() < 0.05:
        decision["text"] = chance.choice(("", "  ", "by hand", "\0"))
    if kind == "reject" and chance.random() < 0.5:
        decision["feedback"] = "no"
    if kind == "approve_always" and chance.random() < 0.3:
        decision["scope"] = chance.choice(({"/account": "DE*"}, {"/account": "*"}, {}))
    return decision


def _arguments(chance: random.Random) -> Any:
    """Returns arguments that fit, more or less."""
    arguments: JSON = {
        "account": f"DE{chance.randrange(20_000)}",
        "cents": chance.choice((1, 99, 100_000, 100_001, 0, "5", 1.0, True, None)),
    }
    if chance.random() < 0.4:
        arguments["to"] = chance.choices(("ann", "bob", 3, "eve", None), k=chance.randrange(5))
    if chance.random() < 0.3:
        arguments["when"] = chance.choice((None, {"day": 3}, {"day": 32}, {}, "today"))
    if chance.random() < 0.2:
        arguments[chance.choice(("note", "cents", "account", "other"))] = chance.choice(_ODD)
    if chance.random() < 0.1:
        del arguments[chance.choice(("account", "cents"))]
    return arguments if chance.random() < 0.95 else chance.choice(_ODD)


def _spelled(calls: list[Message]) -> list[str]:
    return sorted(json.dumps(each, sort_keys=True) for each in calls)
