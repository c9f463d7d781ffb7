"""The moments of a turn at which something is done to it.

Each phase is a script for the model that makes the moment last, and a condition that
says that it is there. All scripts answer differently when they are asked again, so
that a call which ran twice would be seen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.e2e.suite import until, until_it
from tests.faults.reading import Reading
from tests.faults.stage import Stage

WAIT_SECONDS = 20


@dataclass
class Subject:
    """A turn that something is about to be done to."""

    turn: str
    thread: str
    model: str
    tag: str
    reading: Reading


Arrival = Callable[[Stage, Subject], Awaitable[None]]


@dataclass(frozen=True)
class Phase:
    """A moment of a turn."""

    name: str
    script: str
    arrive: Arrival


def transfer(tag: str, seconds: float) -> str:
    """Returns the parts of a script that ask for a transfer, and for another when asked again."""
    first = f'{{"tag":"{tag}","seconds":{seconds}}}'
    again = f'{{"tag":"{tag}-again","seconds":{seconds}}}'
    return f"tool=effects__transfer+arg={first}+tool2=effects__transfer+arg2={again}+vary=1"


async def before_the_first_token(stage: Stage, subject: Subject) -> None:
    """The provider has been asked and has said nothing."""

    async def asked() -> bool:
        return await stage.asked(subject.model) > 0

    await until_it(asked, WAIT_SECONDS)


async def in_text(stage: Stage, subject: Subject) -> None:
    """A third of the answer has been seen."""
    await until(lambda: len(subject.reading.fold.answer) > 60, WAIT_SECONDS)


async def in_arguments(stage: Stage, subject: Subject) -> None:
    """The provider is in the middle of a call's arguments."""
    await before_the_first_token(stage, subject)
    await asyncio.sleep(0.4)


async def in_the_tool(stage: Stage, subject: Subject) -> None:
    """The tool has had its effect and has not answered."""
    await until(lambda: stage.journal.effects(subject.tag) > 0, WAIT_SECONDS)


async def with_tools_found(stage: Stage, subject: Subject) -> None:
    """What the model searched for is committed, and the model is asked what to make of it."""

    async def found() -> bool:
        query = "SELECT 1 FROM agent_runtime.calls WHERE turn = $1 AND outcome = 'OK'"
        return bool(await stage.query(query, subject.turn)) and await stage.asked(subject.model) > 1

    await until_it(found, WAIT_SECONDS)


async def at_the_end(stage: Stage, subject: Subject) -> None:
    """Every word has been seen, and the provider is about to end."""
    await until(lambda: "~39 " in subject.reading.fold.answer, WAIT_SECONDS)


def phases(tag: str) -> list[Phase]:
    """Returns the five phases, their scripts counting effects under a tag.

    The tag is in every script: a model that was asked before answers differently.
    """
    varied = f"vary=1+trial={tag}"
    return [
        Phase("first token", f"n=40+ttft=900+{varied}", before_the_first_token),
        Phase("text", f"n=60+us=20000+{varied}", in_text),
        Phase("arguments", f"n=20+pieces=20+gap=60+{transfer(tag, 0.2)}", in_arguments),
        Phase("tool", f"n=20+{transfer(tag, 1.5)}", in_the_tool),
        Phase("end", f"n=40+us=4000+tail=60+{varied}", at_the_end),
    ]


PHASES = [phase.name for phase in phases("")]


def phase_named(name: str, tag: str) -> Phase:
    """Returns a phase by its name."""
    return next(phase for phase in phases(tag) if phase.name == name)
