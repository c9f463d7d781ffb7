"""The built-in model that needs no provider, and says so."""

import asyncio
from collections.abc import AsyncGenerator

from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Piece,
    Prompt,
    TextPiece,
    UsagePiece,
)

PROVIDER = "scripted"

_WORDS_AT_ONCE = 4
_PAUSE_SECONDS = 0.01


class ScriptedClient:
    """Answers every prompt by the same script, word by word."""

    async def stream(self, prompt: Prompt) -> AsyncGenerator[list[Piece]]:
        """Yields the answer."""
        said = next((m.text for m in reversed(prompt.messages) if m.role == "user"), "")
        answer = (
            "I am Turnpike's built-in scripted model: I understand nothing, and I am here so that"
            " everything else can be tried without a provider's key. "
            f"You said: {said}"
        )
        words = answer.split(" ")
        for start in range(0, len(words), _WORDS_AT_ONCE):
            end = start + _WORDS_AT_ONCE
            text = " ".join(words[start:end]) + (" " if end < len(words) else "")
            yield [TextPiece(text)]
            await asyncio.sleep(_PAUSE_SECONDS)
        asked = sum(len(message.text.split()) for message in prompt.messages)
        yield [UsagePiece(input_tokens=asked, output_tokens=len(words)), EndPiece("stop")]
