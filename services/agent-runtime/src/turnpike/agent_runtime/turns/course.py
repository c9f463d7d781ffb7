"""What was said and asked in a turn so far, without any I/O."""

from collections.abc import Sequence
from dataclasses import replace

from turnpike.agent_runtime.models.prompt import Message, Model, Prompt
from turnpike.agent_runtime.tools.registry import Effect
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.asking import prompt_bytes
from turnpike.agent_runtime.turns.listening import Heard
from turnpike.agent_runtime.turns.model import Call, Step, Turn
from turnpike.agent_runtime.turns.prompting import step_messages
from turnpike.agent_runtime.turns.store import Ending, Reply


class Course:
    """One turn's steps: the committed ones, and what the model says now.

    What it says of the answer is what folding the log would say.
    """

    def __init__(
        self, turn: Turn, steps: Sequence[Step], messages: Sequence[Message], model: Model
    ) -> None:
        self.steps = list(steps)
        self._turn = turn
        self._messages = list(messages)
        self._model = model
        self._heard = Heard()
        self._asking = 0

    @property
    def open_step(self) -> Step | None:
        """The step whose calls were asked for, and have not ended."""
        return self.steps[-1] if self.steps and not self.steps[-1].done else None

    def prompt(self, toolset: Toolset, traceparent: str) -> Prompt:
        """Returns what the model is asked next."""
        return Prompt(
            model=self._model,
            messages=tuple(self._messages),
            tools=toolset.definitions,
            traceparent=traceparent,
        )

    def hear(self, heard: Heard) -> None:
        """Says that a model call of the next step began."""
        self._heard, self._asking = heard, len(self.steps) + 1

    def forget(self) -> None:
        """Says that what was heard since the last commit is void."""
        self._heard, self._asking = Heard(), 0

    def asked(self, step: Step) -> None:
        """Says that a step is committed, with the calls that it asks for."""
        self.steps.append(step)
        self.forget()

    def done(self, step: Step) -> None:
        """Says that the last step's calls have ended, and that this is committed."""
        self.steps[-1] = replace(step, done=True)
        self._messages.extend(step_messages(step))

    def reply(self) -> Reply:
        """Returns what the model said in this step."""
        return Reply(
            step=self._asking,
            text="".join(self._heard.text),
            reasoning="".join(self._heard.reasoning),
            usage=self._heard.usage(self._model.prices, prompt_bytes(self._messages)),
        )

    def step(self, toolset: Toolset) -> Step:
        """Returns this step, as the model left it."""
        reply = self.reply()
        return Step(
            turn=self._turn.id,
            number=reply.step,
            text=reply.text,
            reasoning=reply.reasoning,
            done=False,
            calls=_calls(reply.step, self._heard, toolset),
        )

    def effects(self, step: Step) -> list[Effect]:
        """Returns a step's calls, as the effect ledger knows them."""
        turn = self._turn
        return [
            Effect(
                tenant=turn.tenant,
                principal=turn.principal,
                turn=turn.id,
                fence=turn.fence,
                step=step.number,
                ordinal=call.ordinal,
            )
            for call in step.calls
        ]

    def ending(self, status: str, *, reason: str = "", message: str = "") -> Ending:
        """Returns how the turn ends here: what was said stays, what was asked is closed."""
        reply = self.reply() if self._heard.anything or status == "COMPLETED" else None
        step = self.open_step
        return Ending(
            status=status,
            reply=reply,
            results=step.calls if step else [],
            step=step.number if step else len(self.steps),
            answer=self._answer(),
            reason=reason,
            message=message,
        )

    def _answer(self) -> str:
        if self._asking:
            return "".join(self._heard.text)
        return self.steps[-1].text if self.steps else ""


def _calls(number: int, heard: Heard, toolset: Toolset) -> list[Call]:
    calls: list[Call] = []
    for ordinal, use in enumerate(heard.tool_uses):
        tool = toolset.find(use.name)
        calls.append(
            Call(
                ordinal=ordinal,
                call_id=f"call_{number}_{ordinal}",
                provider_id=use.id or f"call_{number}_{ordinal}",
                name=tool.name if tool else use.name,
                arguments=use.arguments.replace("\0", ""),
                definition_digest=tool.digest if tool else "",
            )
        )
    return calls
