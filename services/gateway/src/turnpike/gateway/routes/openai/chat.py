"""`/v1/chat/completions`: an agent's turn, or a model's answer to the client's own messages."""

from uuid import UUID, uuid4

import orjson
from starlette.routing import Route

from turnpike.api.agent_runtime.v1.completion_service_pb2 import StreamCompletionRequest
from turnpike.gateway.routes.answers import Client, turn_headers
from turnpike.gateway.routes.openai.chat_form import ChatChunks, ChatCompletion
from turnpike.gateway.routes.openai.chat_request import ChatRequest, Document, read_chat
from turnpike.gateway.routes.plain import PlainRoutes
from turnpike.gateway.routes.said import agent_of, session_of

_NAMES = {"parameters": "", "max_output_tokens": "max_completion_tokens"}


class ChatRoutes(PlainRoutes):
    """OpenAI's chat completions."""

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [self.route("/v1/chat/completions", self.complete, "POST")]

    async def complete(self, client: Client, body: bytes) -> None:
        """Answers a conversation."""
        asked, document = read_chat(body)
        if agent := agent_of(asked.model):
            await self._by_agent(client, asked, agent)
        else:
            await self._by_model(client, asked, document)

    async def _by_agent(self, client: Client, asked: ChatRequest, agent: str) -> None:
        turn, log = await self.answers.start(client, agent, asked.input())
        completion, headers = f"chatcmpl-{UUID(turn.id).hex}", turn_headers(turn)
        if asked.stream:
            form = ChatChunks(completion, asked.model, with_usage=asked.wants_usage)
            source = self.answers.of_turn(client.call, turn, log, form)
            await self.answers.stream(client, source, headers)
        else:
            whole = ChatCompletion(completion, asked.model)
            source = self.answers.of_turn(client.call, turn, log, whole)
            await self.answers.send(client, source, whole, headers)

    async def _by_model(self, client: Client, asked: ChatRequest, document: Document) -> None:
        completion = f"chatcmpl-{uuid4().hex}"
        request = completion_request(asked, document, session_of(client.scope, document))
        if asked.stream:
            form = ChatChunks(completion, asked.model, with_usage=asked.wants_usage)
            source = await self.answers.of_model(client, request, form, _NAMES)
            await self.answers.stream(client, source, {})
        else:
            whole = ChatCompletion(completion, asked.model)
            source = await self.answers.of_model(client, request, whole, _NAMES)
            await self.answers.send(client, source, whole, {})


def completion_request(
    asked: ChatRequest, document: Document, session: str
) -> StreamCompletionRequest:
    """Returns the request for a model's answer, its messages as the client wrote them."""
    parameters = asked.parameters()
    return StreamCompletionRequest(
        model=asked.model,
        session=session,
        messages=[orjson.dumps(message).decode() for message in document["messages"]],
        tools=[orjson.dumps(tool).decode() for tool in document.get("tools") or ()],
        parameters=orjson.dumps(parameters).decode() if parameters else "",
        max_output_tokens=asked.max_completion_tokens or asked.max_tokens,
    )
