"""`/v1/models`: what a client may name as its model."""

from datetime import UTC, datetime
from typing import Any

from starlette.routing import Route

from turnpike.api.agent_runtime.v1 import agent_service_pb2, model_service_pb2
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.routes.answers import Answers, Client, send_json
from turnpike.gateway.routes.plain import PlainRoutes
from turnpike.gateway.routes.route import Entrance
from turnpike.gateway.routes.said import PREFIX, agent_of

_PAGE = 500
_MOST_PAGES = 20
_OWNER = "turnpike"


class OpenAiModelRoutes(PlainRoutes):
    """The list of models, for both vendors' clients: models, and agents as `agent/NAME`."""

    def __init__(
        self,
        entrance: Entrance,
        answers: Answers,
        models: ModelServiceStub,
        agents: AgentServiceStub,
    ) -> None:
        super().__init__(entrance, answers)
        self._models = models
        self._agents = agents

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [
            self.route("/v1/models", self.list_models, "GET"),
            self.route("/v1/models/{model:path}", self.get_model, "GET"),
        ]

    async def list_models(self, client: Client, _body: bytes) -> None:
        """Lists the models, then the agents."""
        data = [*await self._all_models(client.call), *await self._all_agents(client.call)]
        await send_json(client, {"object": "list", "data": data, **_one_page(data)})

    async def get_model(self, client: Client, _body: bytes) -> None:
        """Returns one of them."""
        name: str = client.scope["path_params"]["model"]
        if agent := agent_of(name):
            request = agent_service_pb2.GetAgentRequest(name=agent[:64])
            found = (await client.call.read(self._agents.GetAgent, request)).agent
        else:
            request = model_service_pb2.GetModelRequest(name=name[:64])
            found = (await client.call.read(self._models.GetModel, request)).model
        await send_json(client, _document(name, found.create_time.seconds))

    async def _all_models(self, call: Call) -> list[dict[str, Any]]:
        found, token = list[dict[str, Any]](), ""
        for _ in range(_MOST_PAGES):
            request = model_service_pb2.ListModelsRequest(page_size=_PAGE, page_token=token)
            page = await call.read(self._models.ListModels, request)
            found += [
                _document(each.name, each.create_time.seconds)
                for each in page.models
                if each.role in ("", "chat")
            ]
            if not (token := page.next_page_token):
                break
        return found

    async def _all_agents(self, call: Call) -> list[dict[str, Any]]:
        found, token = list[dict[str, Any]](), ""
        for _ in range(_MOST_PAGES):
            request = agent_service_pb2.ListAgentsRequest(page_size=_PAGE, page_token=token)
            page = await call.read(self._agents.ListAgents, request)
            found += [
                _document(PREFIX + each.name, each.create_time.seconds) for each in page.agents
            ]
            if not (token := page.next_page_token):
                break
        return found


def _one_page(data: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns what Anthropic's clients look for beside the data."""
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"has_more": False, "first_id": ends[0], "last_id": ends[1]}


def _document(name: str, created: int) -> dict[str, Any]:
    """Returns a model as the clients of both vendors know one."""
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": _OWNER,
        "type": "model",
        "display_name": name,
        "created_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
    }
