"""The language in which a model's name scripts its replies.

Parts are joined with `+`, such as `n=200+us=500`; `+` and `/` may stand inside the
value of `arg` and its like as `%2B` and `%2F`:

    n=N         stream N one-word deltas (default 20), or as many tokens as the
                request allows
    say=TEXT    instead of words, this text as one delta (written as that of `arg`)
    us=U        wait U microseconds between deltas (default 0: ten deltas a write)
    ttft=MS     wait MS milliseconds before the first byte
    tool=NAME   first ask for tool NAME (arguments from arg=JSON); once its result
                is the last message, stream text
    calls=K     ask for K parallel calls of that tool in one message
    rounds=R    ask for the tool R times in a row before the text
    next=NAME   ask for tool NAME after the first round (arguments from nextarg=JSON)
    pieces=P    send a call's arguments in P pieces
    gap=MS      wait MS milliseconds before each of those pieces
    tail=MS     wait MS milliseconds between the last delta and the end
    think=N     N reasoning deltas first
    vary=1      another text (and tool2=, arg2=) when the same prompt is asked again
    429=K       answer the first K requests of each (API key, model) with HTTP 429
    500=K       the same with HTTP 500
    retry=S     the Retry-After of both (default 7; `none` leaves it out)
    die=N       drop the connection after N deltas
    garbage=N   after N deltas send bytes that are no JSON, then drop the connection
    hang=N      after N deltas send nothing more
    529=N       after N deltas an error event in the stream
    once=1      makes die, garbage, hang and 529 happen only the first time per
                (API key, model)
"""

from dataclasses import dataclass

FAULTS = ("die", "garbage", "hang", "529")


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a stream, and after how many deltas."""

    kind: str
    after: int


@dataclass(frozen=True)
class Script:
    """A model's name, read."""

    parts: dict[str, str]

    def number(self, part: str, default: int = 0) -> int:
        """Returns the number behind a part of the name."""
        return int(self.parts.get(part, default))

    def seconds(self, part: str) -> float:
        """Returns the milliseconds behind a part of the name, as seconds."""
        return self.number(part) / 1000

    @property
    def said(self) -> str | None:
        """The text to answer with, where it is not to be words."""
        return self.parts.get("say")

    @property
    def fault(self) -> Fault | None:
        """The fault that the name asks for."""
        kind = next((kind for kind in FAULTS if kind in self.parts), None)
        return None if kind is None else Fault(kind, int(self.parts[kind]))

    @property
    def retry_after(self) -> dict[str, str]:
        """The Retry-After header of a refusal, or none."""
        seconds = self.parts.get("retry", "7")
        return {} if seconds == "none" else {"retry-after": seconds}

    @property
    def rounds(self) -> int:
        """How often a tool is asked for before the text."""
        return self.number("rounds", 2 if "next" in self.parts else 1)

    def tool(self, *, again: bool, asked: int) -> tuple[str, str] | None:
        """Returns the name and the arguments of the tool to ask for."""
        if asked and "next" in self.parts:
            return self.parts["next"], self.parts.get("nextarg", "{}")
        suffix = "2" if again else ""
        name = self.parts.get("tool" + suffix) or self.parts.get("tool")
        arguments = self.parts.get("arg" + suffix) or self.parts.get("arg", "{}")
        return None if name is None else (name, arguments)


def read_script(model: str) -> Script:
    """Reads a model's name; what it does not know in it is ignored."""
    pairs = (part.partition("=") for part in model.split("/")[-1].split("+"))
    return Script({name: value.replace("%2B", "+").replace("%2F", "/") for name, _, value in pairs})
