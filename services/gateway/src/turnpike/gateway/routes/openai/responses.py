"""`/v1/responses`: an agent's is a turn in another coat, a model's is kept nowhere."""

from dataclasses import replace
from time import time
from uuid import UUID, uuid4

from starlette.datastructures import QueryParams
from starlette.routing import Route

from turnpike.api.agent_runtime.v1.approval_service_pb2 import DecideRequest, GetApprovalRequest
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2 import CancelTurnRequest
from turnpike.gateway.events import STATUSES
from turnpike.gateway.logs import Log, watch
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.projection import waiting_notes
from turnpike.gateway.requests import idempotency_key, while_connected
from turnpike.gateway.routes.answers import Answers, Client, send_json, turn_headers
from turnpike.gateway.routes.openai.chat_request import Document
from turnpike.gateway.routes.openai.response_approvals import decisions_of
from turnpike.gateway.routes.openai.response_conversation import model_request
from turnpike.gateway.routes.openai.response_documents import new_document, response_document
from turnpike.gateway.routes.openai.response_form import NUMBERS, ResponseForm
from turnpike.gateway.routes.openai.response_ids import RESPONSE, read_response_id
from turnpike.gateway.routes.openai.response_request import ResponseRequest, read_response
from turnpike.gateway.routes.plain import PlainRoutes
from turnpike.gateway.routes.route import Entrance
from turnpike.gateway.routes.said import PREFIX, THREAD, agent_of, session_of

_NAMES = {"parameters": "", "messages": "input"}
_LONGEST_NUMBER = 18
_ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "EXPIRED", "REFUSED"})


class ResponseRoutes(PlainRoutes):
    """OpenAI's responses."""

    def __init__(
        self, entrance: Entrance, answers: Answers, approvals: ApprovalServiceStub
    ) -> None:
        super().__init__(entrance, answers)
        self._approvals = approvals

    def routes(self) -> list[Route]:
        """Returns the routes."""
        one = "/v1/responses/{response:name}"
        return [
            self.route("/v1/responses", self.create, "POST"),
            self.route(one, self.get, "GET"),
            self.route(f"{one}/cancel", self.cancel, "POST"),
        ]

    async def create(self, client: Client, body: bytes) -> None:
        """Answers with a response: as it comes, whole, or, of a turn's, at once."""
        asked, document = read_response(body)
        agent = agent_of(asked.model)
        if agent and (decisions := decisions_of(asked)):
            await self._decide(client, asked, decisions)
        elif agent:
            await self._by_agent(client, asked, agent)
        else:
            await self._by_model(client, asked, document)

    async def get(self, client: Client, _body: bytes) -> None:
        """Returns a response as it stands, or goes on with its stream after a number."""
        identity, since = _named(client)
        query = QueryParams(client.scope["query_string"])
        after = _number(query.get("starting_after"))
        async with while_connected(client.receive):
            turn = await self.answers.look(client.call, identity)
            log = await watch(client.call, self.answers.turns, turn.id, 0)
        if query.get("stream") in ("true", "1"):
            form = _form(turn, after=after, since=since)
            seen = after // NUMBERS if after >= 0 else 0
            source = self.answers.of_turn(
                client.call, turn, log, form, items=True, since=since, seen=seen
            )
            source.resumable = True
            await self.answers.stream(client, source, turn_headers(turn))
        else:
            await self._send(client, turn, log, since)

    async def cancel(self, client: Client, _body: bytes) -> None:
        """Cancels a response's turn, and returns the response when it has ended."""
        identity, since = _named(client)
        request = CancelTurnRequest(turn=identity)
        turn = (await client.call.read(self.answers.turns.CancelTurn, request)).turn
        async with while_connected(client.receive):
            log = await watch(client.call, self.answers.turns, turn.id, 0)
        await self._send(client, turn, log, since)

    async def _by_agent(self, client: Client, asked: ResponseRequest, agent: str) -> None:
        said = asked.for_agent()
        if thread := await self._thread(client, asked):
            said = replace(said, metadata={**said.metadata, THREAD: thread})
        turn, log = await self.answers.start(client, agent, said)
        await self._answer(client, asked, turn, log)

    async def _decide(self, client: Client, asked: ResponseRequest, said: DecideRequest) -> None:
        """Decides what a turn waits for, and answers with what comes of it then."""
        said.request_id = idempotency_key(client.scope) or said.request_id
        async with while_connected(client.receive):
            await self._check_previous(client, asked, said.approval)
            decided = await client.call.read(self._approvals.Decide, said, {"decisions": "input"})
            turn = await self.answers.look(client.call, decided.approval.turn)
            log = await watch(client.call, self.answers.turns, turn.id, 0)
        await self._answer(client, asked, turn, log, since=said.approval)

    async def _check_previous(self, client: Client, asked: ResponseRequest, approval: str) -> None:
        if not asked.previous_response_id:
            return
        turn, _ = read_response_id(asked.previous_response_id, "previous_response_id")
        request = GetApprovalRequest(id=approval)
        found = (await client.call.read(self._approvals.GetApproval, request)).approval
        if found.turn != turn:
            raise invalid_field("previous_response_id", "is not what asked for this approval")

    async def _answer(
        self, client: Client, asked: ResponseRequest, turn: Turn, log: Log, *, since: str = ""
    ) -> None:
        form = _form(turn, since=since)
        source = self.answers.of_turn(client.call, turn, log, form, items=True, since=since)
        if asked.stream:
            source.resumable = True
            await self.answers.stream(client, source, turn_headers(turn))
        elif asked.background:
            source.close()
            await send_json(client, form.document, turn_headers(turn))
        else:
            await self.answers.send(client, source, form, turn_headers(turn))

    async def _by_model(self, client: Client, asked: ResponseRequest, document: Document) -> None:
        base = uuid4().hex
        kept_nowhere = new_document(
            RESPONSE + base, asked.model, int(time()), store=False, metadata=asked.metadata or {}
        )
        form = ResponseForm(kept_nowhere, base, kept=False)
        request = model_request(asked, session_of(client.scope, document))
        source = await self.answers.of_model(client, request, form, _NAMES)
        if asked.stream:
            await self.answers.stream(client, source, {})
        else:
            await self.answers.send(client, source, form, {})

    async def _send(self, client: Client, turn: Turn, log: Log, since: str = "") -> None:
        """Sends a response as it stands: folded to the number that the turn is at."""
        form = _form(turn, since=since)
        source = self.answers.of_turn(client.call, turn, log, form, items=True, since=since)
        ended = STATUSES.get(turn.status, "") in _ENDED
        try:
            async with while_connected(client.receive):
                await source.whole(None if ended else turn.seq)
        finally:
            source.close()
        if STATUSES.get(turn.status) == "QUEUED":
            form.document["status"] = "queued"
        if turn.waiting_for:
            form.document["turnpike"] = waiting_notes(turn)
            if form.asks:
                form.document["status"] = "completed"
        await send_json(client, form.document, turn_headers(turn))

    async def _thread(self, client: Client, asked: ResponseRequest) -> str:
        if asked.thread or not asked.previous_response_id:
            return asked.thread
        previous, _ = read_response_id(asked.previous_response_id, "previous_response_id")
        async with while_connected(client.receive):
            return (await self.answers.look(client.call, previous)).thread


def _form(turn: Turn, *, after: int = -1, since: str = "") -> ResponseForm:
    base = UUID(turn.id).hex
    return ResponseForm(response_document(turn, PREFIX + turn.agent, since), base, after=after)


def _named(client: Client) -> tuple[str, str]:
    """Returns the turn that is named, and after which approval what is told of it begins."""
    return read_response_id(client.scope["path_params"]["response"], "response")


def _number(given: str | None) -> int:
    if given is None:
        return -1
    if not (given.isascii() and given.isdigit()) or len(given) > _LONGEST_NUMBER:
        raise invalid_field("starting_after", "must be the sequence_number of an event")
    return int(given)
