"""What belongs to one tenant is not there for another: every rpc of every service.

By gRPC, where callers reach the services themselves; `test_identity.py` asks every route of
the edge. An rpc that is new is asked at once, and what is not a refusal fails until a table
here says that it is right.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.rpcs import Metadata, Rpc, every_rpc
from tests.e2e.suite import Suite

# What makes, lists or changes the caller's own things, and has no thing of ours to name.
OWN: dict[str, tuple[str, ...]] = {
    "AgentService": ("CreateAgent", "ListAgents"),
    "AuditService": ("ListAuditEntries",),
    "ApprovalService": ("ListApprovals", "WatchInbox"),
    "FileService": ("UploadFile", "ListFiles"),
    "ModelService": ("CreateModel", "ListModels"),
    "PolicyService": (
        *("GetPolicy", "UpdatePolicy", "ListPolicyVersions", "ListGrants", "ExplainTools"),
    ),
    "PrefixService": ("ListPrefixSessions",),
    "ProviderKeyService": (
        *("CreateProviderKey", "ListProviderKeys", "GetKeyMode", "UpdateKeyMode"),
    ),
    "SkillService": ("CreateSkill", "ListSkills"),
    "ThreadService": ("CreateThread", "ListThreads"),
    "CollectionService": ("CreateCollection", "ListCollections"),
    "EmbeddingService": ("Embed", "EmbedStream", "Chunk"),
    "SearchService": ("Search",),
    # Plans are everybody's to read.
    "AccountService": ("ListPlans", "ListBudgets", "ListRefusals"),
    "GatekeeperService": ("Authenticate",),
    "IdentityService": ("CreateServiceAccount", "CreateIssuer", "ListPrincipals", "ListIssuers"),
    "TenancyService": ("CreateApiKey", "ListApiKeys", "CreateBan", "ListBans"),
    "UsageService": ("ReportUsage", "ListUsage"),
    "ArtifactService": ("ListArtifacts",),
    # What is probed comes with the request; the state of a sign-in nobody else can know.
    "ConnectorService": (
        *("CreateConnector", "ListConnectors", "ListTools", "ProbeConnector"),
        "FinishSignIn",
    ),
    "EffectService": ("ListUnknownEffects",),
    "VariableService": ("SetVariable", "ListVariables"),
}
# What a viewer may ask that does not say in its name that it only reads.
QUESTIONS = ("Explain", "Search", "Embed", "EmbedStream", "Chunk", "Authenticate")
READS = ("Get", "List", "Read", "Watch", "Report")
REFUSED = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED)
# By what no answer to a stranger may name us.
IDS = ("effect", "file", "key", "principal", "tenant", "thread", "turn", "version")
NOWHERE = "00000000-0000-4000-8000-000000000000"

Answer = Message | grpc.StatusCode
Ask = Callable[[Metadata], Awaitable[dict[str, Answer]]]


@pytest.fixture
async def ours(edge: Edge, agent: MakeAgent, tag: str) -> dict[str, Any]:
    """The ids and names of things of the first tenant."""
    name = await agent("n=1")
    turn = await edge.start(name)
    await edge.read(turn["id"])
    key = (await edge.call("GET", "/keys"))["keys"][0]
    budget = f"agent.{name}.total"
    await edge.call("PUT", f"/budgets/{budget}", {"limit_micro_usd": 10**15})
    await edge.call("PUT", f"/skills/{name}", {"description": "ours", "instructions": "ours"})
    await edge.call("POST", "/collections", {"name": tag})
    await edge.call("PUT", f"/collections/{tag}/documents/a.md", {"text": "ours"})
    await edge.call("PUT", f"/variables/{name.replace('-', '_')}", {"value": "ours"})
    file = await edge.http.post("/api/v1/files", content=b"ours", params={"name": "ours.txt"})
    return {
        **dict.fromkeys(("agent", "model", "plan", "skill"), name),
        **dict.fromkeys(("approval", "artifact", "ban", "grant", "nothing", "replica"), NOWHERE),
        "new": f"new-{tag}",
        "turn": turn["id"],
        "thread": turn["thread"],
        "version": turn["agent_version"],
        "connector": "effects",
        "key": key["id"],
        "effect": f"{turn['id']}:1:0",
        "tenant": key["principal"]["tenant"],
        "principal": key["principal"]["id"],
        "budget": budget,
        "tool": "effects/peek",
        "arguments": "{}",
        "url": "http://127.0.0.1:1/mcp",
        "collection": tag,
        "path": "/a.md",
        "variable": name.replace("-", "_"),
        "file": file.json()["id"],
    }


@pytest.fixture
def ask(suite: Suite, ours: dict[str, Any]) -> Ask:
    """Asks every rpc for what is ours, as whoever the metadata says."""

    async def every(metadata: Metadata) -> dict[str, Answer]:
        return {
            rpc.name: await rpc.answer(
                suite.of(rpc.service)[0].address, rpc.request(ours), metadata
            )
            for rpc in every_rpc()
        }

    return every


def bearer(caller: Edge) -> Metadata:
    return (("authorization", caller.http.headers["authorization"]),)


def is_own(rpc: Rpc) -> bool:
    return rpc.method.name in OWN.get(rpc.method.containing_service.name, ())


async def test_nothing_of_ours_is_there_for_a_stranger(
    edge: Edge, stranger: Edge, ours: dict[str, Any], ask: Ask
):
    before = (await edge.turn(ours["turn"]), await edge.messages(ours["thread"]))

    answers = await ask(bearer(stranger))

    theirs = {rpc.name for rpc in every_rpc() if not is_own(rpc)}
    assert {name: answers[name] for name in theirs if answers[name] not in REFUSED} == {}
    ids = [ours[each] for each in IDS]
    told = [name for name, each in answers.items() if any(one in said(each) for one in ids)]
    assert told == []
    assert (await edge.turn(ours["turn"]), await edge.messages(ours["thread"])) == before


async def test_a_viewer_changes_nothing(edge: Edge, ours: dict[str, Any], ask: Ask):
    made = await edge.call("POST", "/keys", {"name": "viewer", "role": "VIEWER"})
    before = (await edge.turn(ours["turn"]), await edge.messages(ours["thread"]))

    answers = await ask(bearer(edge.with_key(made["key"])))

    wrong = {
        name: answer
        for name, answer in answers.items()
        if answer is not grpc.StatusCode.PERMISSION_DENIED
        and not name.partition("/")[2].startswith((*READS, *QUESTIONS))
    }
    assert wrong == {}
    assert (await edge.turn(ours["turn"]), await edge.messages(ours["thread"])) == before


async def test_nothing_is_answered_to_nobody(ask: Ask):
    answers = await ask(())

    answered = {
        name: answer
        for name, answer in answers.items()
        if answer is not grpc.StatusCode.UNAUTHENTICATED
    }
    assert answered == {}


def said(answer: Answer) -> str:
    """Returns what an answer says, whatever it is."""
    return MessageToJson(answer) if isinstance(answer, Message) else ""
