"""A conversation with an agent: a thread, and one turn after the other."""

import uuid
from typing import Any

from turnpike.cli.conversation.asking import asked_at_terminal, is_interactive
from turnpike.cli.conversation.fold import Fold
from turnpike.cli.conversation.following import follow
from turnpike.cli.conversation.frames import Event
from turnpike.cli.conversation.transcript import Transcript
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient, UnreachableError
from turnpike.cli.terminal import Terminal

_START_ATTEMPTS = 5


class Conversation:
    """A thread with an agent, new unless `thread` names one."""

    def __init__(
        self, client: GatewayClient, agent: str, thread: str, terminal: Terminal, time_zone: str
    ) -> None:
        self._client = client
        self._agent = agent
        self._thread = thread
        self._terminal = terminal
        self._time_zone = time_zone

    def say(self, text: str) -> str:
        """Sends a message and writes the turn down; returns the turn's final status.

        A KeyboardInterrupt cancels the turn, and is over with it.
        """
        turn = self._start(text)
        fold = Fold()
        try:
            self._write_down(turn, fold)
        except KeyboardInterrupt:
            self._client.call("POST", f"/api/v1/turns/{turn}:cancel")
            self._write_down(turn, fold)
        finish = fold.finish()
        return str(finish.fields["status"]) if finish else ""

    def _start(self, text: str) -> str:
        if not self._thread:
            self._thread = str(self._client.fetch("POST", "/api/v1/threads", json={})["id"])
        body: dict[str, Any] = {"agent": self._agent, "input": text}
        if self._time_zone:
            body["time_zone"] = self._time_zone
        # The same key again: were the reply lost, the turn would be the same one.
        headers = {"idempotency-key": str(uuid.uuid4())}
        path = f"/api/v1/threads/{self._thread}/turns"
        for _ in range(_START_ATTEMPTS - 1):
            try:
                return str(self._client.fetch("POST", path, json=body, headers=headers)["id"])
            except UnreachableError as error:
                self._terminal.progress(f"{error}; trying again")
        return str(self._client.fetch("POST", path, json=body, headers=headers)["id"])

    def _write_down(self, turn: str, fold: Fold) -> None:
        transcript = Transcript(fold, self._terminal)
        for event in follow(self._client, turn, fold, self._terminal.progress):
            transcript.write(event)
            if event.type == "approval.required":
                self._decide(event)

    def _decide(self, event: Event) -> None:
        """Asks the person at the terminal what the turn waits for; says where, if nobody is."""
        approval = event.fields["approval"]
        if self._terminal.as_json or not is_interactive():
            self._terminal.progress(f"decide with: turnpike approve decide {approval} KIND[:TEXT]")
            return
        path = f"/api/v1/approvals/{approval}:decide"
        try:
            decisions = asked_at_terminal(event.fields, input)
            self._client.fetch("POST", path, json={"decisions": decisions})
        except (CommandError, EOFError) as error:
            self._terminal.progress(f"{error}; it waits: turnpike approve decide {approval}")
