"""How long a model is listened to, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from turnpike.agent_runtime.models.prompt import EndPiece, ModelError, Piece, TextPiece, UsagePiece
from turnpike.agent_runtime.turns.listening import Heard, listen

FIRST, IDLE = 3.0, 2.0
END: list[Piece] = [EndPiece(reason="stop"), UsagePiece(input_tokens=1, output_tokens=1)]


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time passes when it is told to."""

    now = 0.0

    def time(self) -> float:
        return self.now


def heard_of(silences: list[float]) -> str:
    """Returns what is heard of a model that speaks after silences of seconds, and then ends."""
    clock, heard = Clock(), Heard()

    async def spoken() -> AsyncGenerator[list[Piece]]:
        for number, seconds in enumerate(silences):
            clock.now += seconds
            # Whatever is due by now happens.
            for _ in range(3):
                await asyncio.sleep(0)
            yield [TextPiece(f"{number}")]
        yield END

    async def nothing() -> None:
        return

    listening: Coroutine[Any, Any, None] = listen(
        spoken(),
        SimpleNamespace(emit_text=lambda _text: None),  # pyright: ignore[reportArgumentType] # the log
        heard,
        first=timedelta(seconds=FIRST),
        idle=timedelta(seconds=IDLE),
        on_first=nothing,
    )
    try:
        clock.run_until_complete(listening)
    finally:
        clock.run_until_complete(clock.shutdown_asyncgens())
        clock.close()
    return "".join(heard.text)


def test_silence_ends_a_call_and_age_does_not():
    assert heard_of([2.9, *[1.9] * 5]) == "012345"
    for silences in ([3.1], [0.1, 2.1], [2.9, *[1.9] * 5, 2.1]):
        with pytest.raises(ModelError) as ended:
            heard_of(silences)
        assert ended.value.reason == "TIMEOUT"
