"""`/v1/messages`: Anthropic's form, for coding agents that speak it."""

from uuid import UUID, uuid4

from starlette.routing import Route

from turnpike.gateway.routes.answers import Client, send_json, turn_headers
from turnpike.gateway.routes.anthropic.message_form import MessageForm
from turnpike.gateway.routes.anthropic.message_request import (
    MessageRequest,
    read_message,
    read_prompt,
)
from turnpike.gateway.routes.plain import PlainRoutes
from turnpike.gateway.routes.said import agent_of, session_of


class MessageRoutes(PlainRoutes):
    """Anthropic's messages."""

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [
            self.route("/v1/messages", self.create, "POST"),
            self.route("/v1/messages/count_tokens", self.count, "POST"),
        ]

    async def create(self, client: Client, body: bytes) -> None:
        """Answers a conversation."""
        asked, document = read_message(body)
        if agent := agent_of(asked.model):
            await self._by_agent(client, asked, agent)
            return
        form = MessageForm(f"msg_{uuid4().hex}", asked.model)
        request = asked.for_model(session_of(client.scope, document))
        source = await self.answers.of_model(client, request, form, {})
        if asked.stream:
            await self.answers.stream(client, source, {})
        else:
            await self.answers.send(client, source, form, {})

    async def count(self, client: Client, body: bytes) -> None:
        """Says about how many tokens a prompt has."""
        asked, _ = read_prompt(body)
        await send_json(client, {"input_tokens": asked.reckoned()})

    async def _by_agent(self, client: Client, asked: MessageRequest, agent: str) -> None:
        turn, log = await self.answers.start(client, agent, asked.for_agent())
        form = MessageForm(f"msg_{UUID(turn.id).hex}", asked.model)
        source = self.answers.of_turn(client.call, turn, log, form)
        if asked.stream:
            await self.answers.stream(client, source, turn_headers(turn))
        else:
            await self.answers.send(client, source, form, turn_headers(turn))
