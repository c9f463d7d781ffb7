"""What was said and asked in a turn so far, without any I/O."""

from collections.abc import Sequence
from dataclasses import replace

from turnpike.agent_runtime.models.prompt import Message, Model, Prompt
from turnpike.agent_runtime.models.thoughts import author
from turnpike.agent_runtime.prefix.model import Entry, Reported
from turnpike.agent_runtime.tools.effects import Effect
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.asking import prompt_bytes
from turnpike.agent_runtime.turns.endings import Ending
from turnpike.agent_runtime.turns.estimating import (
    DEFAULT_MAX_OUTPUT,
    Estimate,
    messages_bound,
    tools_bound,
)
from turnpike.agent_runtime.turns.ledgering import Said
from turnpike.agent_runtime.turns.listening import Heard
from turnpike.agent_runtime.turns.model import Call, Rate, Reply, Spend, Step, Turn
from turnpike.agent_runtime.turns.prompting import answer_messages, reply_message
from turnpike.agent_runtime.turns.uses import asked_for


class Course:
    """One turn's steps: the committed ones, and what the model says now.

    What it says of the answer is what folding the log would say.
    """

    def __init__(
        self,
        turn: Turn,
        steps: Sequence[Step],
        said: Said | None,
        model: Model,
        *,
        head: int = 0,
    ) -> None:
        """Goes on with a turn.

        Args:
            turn: The turn.
            steps: Its committed steps.
            said: The prompt, as far as its steps have ended; None when nobody is asked.
            model: What is asked.
            head: How many tokens the prompt has at most; 0 when only its bytes say.
        """
        self.steps = list(steps)
        self._head = head
        self._turn = turn
        self._said = said
        self._model = model
        self._heard = Heard()
        self._asking = 0

    @property
    def open_step(self) -> Step | None:
        """The step whose calls were asked for, and have not ended."""
        return self.steps[-1] if self.steps and not self.steps[-1].done else None

    @property
    def model(self) -> Model:
        """Who is asked, or was last."""
        return self._model

    def use(self, model: Model) -> None:
        """Says who is asked from now on."""
        self._model = model

    def estimate(self, toolset: Toolset) -> Estimate:
        """Returns what asking the model next may use at most."""
        return Estimate(
            model=self._model.name,
            input_tokens=self._head or self._bound(toolset),
            max_output_tokens=self._model.max_output or DEFAULT_MAX_OUTPUT,
        )

    def prompt(self, traceparent: str, limit: int | None) -> Prompt:
        """Returns what the model is asked next; `limit` is what was granted of its answer."""
        if self._said is None:
            raise RuntimeError("a turn that is not run asks nobody")
        model = self._model if limit is None else replace(self._model, max_output=limit)
        return self._said.prompt(model, traceparent)

    def hear(self, heard: Heard) -> None:
        """Says that a model call of the next step began."""
        self._heard, self._asking = heard, len(self.steps) + 1
        self._model = heard.model or self._model

    def forget(self) -> None:
        """Says that what was heard since the last commit is void."""
        self._heard, self._asking = Heard(), 0

    def asked(self, step: Step, entry: Entry | None) -> None:
        """Says that a step is committed, with the calls that it asks for."""
        self.steps.append(step)
        self._keep([reply_message(step)], entry)
        self.forget()

    def done(self, step: Step, entry: Entry | None) -> None:
        """Says that the last step's calls have ended, and that this is committed."""
        self.steps[-1] = replace(step, done=True)
        self._keep(answer_messages(step), entry)

    def answered(self, step: Step, toolset: Toolset) -> None:
        """Says that the last step's calls have ended: the prompt will go on with their results."""
        # What a provider counted ends with the reply; the answers to its calls come after.
        before = step.tokens or self._bound(toolset)
        self._head = before + messages_bound(answer_messages(step))

    def entry_asked(self, step: Step, reply: Reply) -> Entry | None:
        """Returns what the thread's ledger is given with a step that asks for calls."""
        return self._entry([reply_message(step)], step.number, self._reported(reply))

    def entry_done(self, step: Step) -> Entry | None:
        """Returns what the thread's ledger is given when a step's calls have ended."""
        return self._entry(answer_messages(step), step.number, None)

    def entry_ended(self, ending: Ending) -> Entry | None:
        """Returns what the thread's ledger is given with the turn's end."""
        step = self.open_step
        added = answer_messages(step) if step else []
        if ending.reply and ending.reply.text:
            added = [*added, reply_message(self._spoken(ending.reply, []))]
        reported = self._reported(ending.reply) if ending.reply else None
        return self._entry(added, ending.step, reported)

    def reply(self, rate: Rate) -> Reply:
        """Returns what the model said in this step, at what it is charged at."""
        heard = self._heard
        usage = heard.usage(None, prompt_bytes(self._said.messages if self._said else ()))
        return Reply(
            step=self._asking,
            text="".join(heard.text),
            reasoning="".join(heard.reasoning),
            thoughts=heard.thoughts.document(author(self._model)),
            spend=Spend(
                step=self._asking,
                attempt=heard.attempt,
                model=self._model.name,
                usage=rate.priced(usage),
                estimated=heard.reported is None,
                default_prices=rate.default,
                own_key=self._model.costs_nothing,
            ),
            tokens=_counted(heard),
        )

    def step(self, reply: Reply, toolset: Toolset) -> Step:
        """Returns this step, as the model left it."""
        return self._spoken(reply, asked_for(reply.step, self._heard.tool_uses, toolset))

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
                conversation=str(turn.thread),
            )
            for call in step.calls
        ]

    def ending(self, status: str, rate: Rate, *, reason: str = "", message: str = "") -> Ending:
        """Returns how the turn ends here: what was said stays, what was asked is closed.

        A call that is under way has its prompt to be paid, though it said nothing yet;
        one that failed without a word has not.
        """
        reply = self.reply(rate)
        paid = bool(self._asking) and self._heard.is_paid
        said = self._heard.anything or (status == "COMPLETED" and bool(self._asking))
        step = self.open_step
        return Ending(
            status=status,
            reply=reply if said else None,
            spend=reply.spend if paid else None,
            results=step.calls if step else [],
            step=step.number if step else len(self.steps),
            answer=self._answer(),
            reason=reason,
            message=message,
        )

    def _spoken(self, reply: Reply, calls: list[Call]) -> Step:
        return Step(
            turn=self._turn.id,
            number=reply.step,
            text=reply.text,
            reasoning=reply.reasoning,
            thoughts=reply.thoughts,
            done=False,
            tokens=reply.tokens,
            calls=calls,
        )

    def _entry(
        self, added: Sequence[Message], step: int, reported: Reported | None
    ) -> Entry | None:
        if self._said is None:
            return None
        return self._said.entry(added, reported, label=f"{self._turn.id}/{step}")

    def _keep(self, messages: Sequence[Message], entry: Entry | None) -> None:
        if self._said is not None and entry is not None:
            self._said.history.commit(entry)
            self._said.add(messages)

    def _bound(self, toolset: Toolset) -> int:
        said = self._said.messages if self._said else ()
        return messages_bound(said) + tools_bound(toolset.definitions)

    def _reported(self, reply: Reply) -> Reported:
        usage, heard = reply.usage, self._heard
        return Reported(
            prompt_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            first_delta=heard.first_delta,
            reckoned=heard.reported is None,
        )

    def _answer(self) -> str:
        if self._asking:
            return "".join(self._heard.text)
        return self.steps[-1].text if self.steps else ""


def _counted(heard: Heard) -> int:
    """Returns the tokens of the prompt and its reply, if the provider counted them."""
    said = heard.reported
    return said.input_tokens + said.output_tokens if said and said.input_tokens else 0
