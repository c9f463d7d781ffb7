"""The services behind the edge, as their contract has them: doubles at the wire.

They are served by the same library as the real ones, so that tokens are
verified, requests validated and errors sent as in production.
"""

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc

from tests.conftest import Keys
from tests.doubles.servicers import PartialGatekeeper
from turnpike.api.agent_runtime.v1 import approval_service_pb2 as approvals_pb
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as turns_pb
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import (
    add_AgentServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import (
    add_ApprovalServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import (
    add_ModelServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import (
    add_PolicyServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.prefix_service_pb2_grpc import (
    add_PrefixServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.provider_key_service_pb2_grpc import (
    add_ProviderKeyServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.skill_service_pb2_grpc import (
    add_SkillServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import (
    add_ThreadServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.turn_pb2 import TURN_STATUS_RUNNING, Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import (
    TurnServiceServicer,
    add_TurnServiceServicer_to_server,
)
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import (
    add_EmbeddingServiceServicer_to_server,
)
from turnpike.api.embedding.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import (
    add_AccountServiceServicer_to_server,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AuthenticateResponse,
    Revocation,
    WatchRevocationsResponse,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import (
    add_GatekeeperServiceServicer_to_server,
)
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import (
    add_IdentityServiceServicer_to_server,
)
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import (
    add_TenancyServiceServicer_to_server,
)
from turnpike.api.gatekeeper.v1.usage_service_pb2_grpc import add_UsageServiceServicer_to_server
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import (
    add_ConnectorServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import (
    add_EffectServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import (
    add_VariableServiceServicer_to_server,
)
from turnpike.rpc.errors import NotFoundError, ServiceError, UnauthenticatedError
from turnpike.rpc.gatekeeper import AUTHENTICATE
from turnpike.rpc.identity import Caller, Signer
from turnpike.rpc.interceptors import Authenticate
from turnpike.rpc.served import caller_of
from turnpike.rpc.server import listen, new_server, serving
from turnpike.rpc.verifier import Verifier

ADMIN_KEY = "tpk_admin-aaaaaaaaaaaaaaaaaaaa"
MEMBER_KEY = "tpk_member-aaaaaaaaaaaaaaaaaaa"
TENANT = str(uuid4())
TIME = datetime(2026, 11, 21, 5, 0, 0, 123456, tzinfo=UTC)
CREATED = "2026-11-21T05:00:00.123456Z"
"""The same, as callers get it."""


class RefusedError(ServiceError):
    """Any refusal."""

    def __init__(self, code: grpc.StatusCode, reason: str, text: str = "no", **more: Any) -> None:
        super().__init__(text, **more)
        self.code = code  # pyright: ignore[reportAttributeAccessIssue] # of one instance
        self.reason = reason  # pyright: ignore[reportAttributeAccessIssue]


class RangeError(ServiceError):
    """A cursor beyond the end."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "OUT_OF_RANGE"


@dataclass
class Log:
    """One turn's log, shared by all replicas."""

    turn: Turn
    events: list[Event] = field(default_factory=list[Event])
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def append(self, **body: Any) -> Event:
        event = Event(seq=len(self.events) + 1, time=TIME, **body)
        async with self.grown:
            self.events.append(event)
            self.grown.notify_all()
        return event

    async def finish(self) -> None:
        await self.append(turn_finished={"status": "TURN_STATUS_COMPLETED"})

    @property
    def finished(self) -> bool:
        return bool(self.events) and self.events[-1].HasField("turn_finished")

    async def after(self, seq: int) -> list[Event]:
        async with self.grown:
            await self.grown.wait_for(lambda: len(self.events) > seq)
            return self.events[seq:]


@dataclass
class Runtime:
    """What the replicas of agent-runtime share."""

    logs: dict[str, Log] = field(default_factory=dict[str, Log])
    starts: list[turns_pb.StartTurnRequest] = field(default_factory=list[turns_pb.StartTurnRequest])
    callers: list[Caller] = field(default_factory=list[Caller])
    traces: list[str] = field(default_factory=list[str])
    script: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    refusal: Exception | None = None
    stay_silent: bool = False
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: list[approvals_pb.WatchInboxResponse] = field(
        default_factory=list[approvals_pb.WatchInboxResponse]
    )
    more_waits: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait(self, pending: int, mine: int, newest: str = "") -> None:
        """Has so many approvals wait."""
        async with self.more_waits:
            self.waiting.append(
                approvals_pb.WatchInboxResponse(pending=pending, mine=mine, newest=newest)
            )
            self.more_waits.notify_all()

    async def start(self, request: turns_pb.StartTurnRequest, caller: Caller) -> tuple[Log, bool]:
        self.starts.append(request)
        self.callers.append(caller)
        if self.refusal is not None:
            raise self.refusal
        for log in self.logs.values():
            if request.request_id and log.turn.metadata.get("id") == request.request_id:
                return log, False
        turn = Turn(
            id=str(uuid4()),
            thread=request.thread or str(uuid4()),
            status=TURN_STATUS_RUNNING,
            agent=request.agent,
            metadata={"id": request.request_id},
            create_time=TIME,
            owner="agent-runtime-1" if caller.role == "admin" else "",
            fence=1 if caller.role == "admin" else 0,
        )
        log = self.logs[turn.id] = Log(turn)
        for body in self.script:
            await log.append(**body)
        return log, True


class Replica(TurnServiceServicer):
    """One replica of agent-runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.watches: list[int] = []
        self.streaming = 0

    async def StartTurn(
        self, request: turns_pb.StartTurnRequest, context: Any
    ) -> turns_pb.StartTurnResponse:
        self._note(context)
        log, created = await self._runtime.start(request, caller_of(context))
        return turns_pb.StartTurnResponse(turn=log.turn, created=created)

    async def RunTurn(
        self, request: turns_pb.RunTurnRequest, context: Any
    ) -> AsyncIterator[turns_pb.RunTurnResponse]:
        self._note(context)
        log, created = await self._runtime.start(request.start, caller_of(context))
        yield turns_pb.RunTurnResponse(turn=log.turn, created=created)
        async for events in self._follow(log, 0):
            yield turns_pb.RunTurnResponse(events=events)

    async def WatchTurn(
        self, request: turns_pb.WatchTurnRequest, context: Any
    ) -> AsyncIterator[turns_pb.WatchTurnResponse]:
        self._note(context)
        self.watches.append(request.after)
        self._runtime.callers.append(caller_of(context))
        log = self._log(request.turn)
        if request.after > len(log.events):
            raise RangeError("beyond the end", last=str(len(log.events)))
        exhausted = log.finished and request.after == len(log.events)
        yield turns_pb.WatchTurnResponse(exhausted=exhausted)
        async for events in self._follow(log, request.after):
            yield turns_pb.WatchTurnResponse(events=events)

    async def GetTurn(
        self, request: turns_pb.GetTurnRequest, context: Any
    ) -> turns_pb.GetTurnResponse:
        return turns_pb.GetTurnResponse(turn=self._log(request.turn).turn)

    async def ListTurns(
        self, request: turns_pb.ListTurnsRequest, context: Any
    ) -> turns_pb.ListTurnsResponse:
        turns = [
            log.turn
            for log in self._runtime.logs.values()
            if not request.statuses or log.turn.status in request.statuses
        ]
        return turns_pb.ListTurnsResponse(turns=turns)

    async def CancelTurn(
        self, request: turns_pb.CancelTurnRequest, context: Any
    ) -> turns_pb.CancelTurnResponse:
        log = self._log(request.turn)
        if not log.finished:
            await log.finish()
        return turns_pb.CancelTurnResponse(turn=log.turn)

    def _note(self, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        self._runtime.traces.append(metadata["traceparent"])

    def _log(self, turn: str) -> Log:
        log = self._runtime.logs.get(turn)
        if log is None:
            raise NotFoundError("there is no such turn", kind="turn", id=turn)
        return log

    async def _follow(self, log: Log, seq: int) -> AsyncGenerator[list[Event]]:
        self.streaming += 1
        try:
            while not (log.finished and seq == len(log.events)):
                if self._runtime.stay_silent:
                    await asyncio.Event().wait()
                events = await log.after(seq)
                seq = events[-1].seq
                yield events
        finally:
            self.streaming -= 1
            self._runtime.hung_up.set()


class Gatekeeper(PartialGatekeeper):
    """Knows two keys."""

    def __init__(self, keys: Keys) -> None:
        self._signer = Signer("gatekeeper", keys.seeds["gatekeeper"])
        self.principals = {
            ADMIN_KEY: (str(uuid4()), "admin", "key-of-admin"),
            MEMBER_KEY: (str(uuid4()), "member", "key-of-member"),
        }
        self._revocations: list[Revocation] = []
        self._revoked = asyncio.Condition()
        self._holders: list[tuple[str, Callable[[], None]]] = []
        self.exchanges = 0

    def token(self, key: str) -> tuple[str, datetime]:
        principal, role, id = self.principals[key]
        return self._signer.principal_token(tenant=TENANT, principal=principal, role=role, key=id)

    def add_key(self) -> str:
        """Returns a new key of a new member."""
        key = f"tpk_{uuid4().hex}"
        self.principals[key] = (str(uuid4()), "member", str(uuid4()))
        return key

    async def revoke(self, key: str) -> None:
        principal, _, id = self.principals.pop(key)
        async with self._revoked:
            self._revocations.append(
                Revocation(
                    id=len(self._revocations) + 1,
                    key=id,
                    principal=principal,
                    tenant=TENANT,
                    revoke_time=datetime.now(UTC),
                )
            )
            self._revoked.notify_all()

        for holder, end in self._holders:
            if holder == id:
                end()

    @contextmanager
    def until_revoked(self, caller: Caller, end: Callable[[], None]) -> Generator[None]:
        """Ends a caller's streams on the other services, as those learn by themselves."""
        self._holders.append((caller.key, end))
        try:
            yield
        finally:
            self._holders.remove((caller.key, end))

    async def Authenticate(self, request: Any, context: Any) -> AuthenticateResponse:
        self.exchanges += 1
        if request.credential not in self.principals:
            raise UnauthenticatedError("no such key")
        token, expires = self.token(request.credential)
        return AuthenticateResponse(token=token, expire_time=expires)

    async def Admit(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    Release = Heartbeat = Admit

    async def WatchRevocations(
        self, request: Any, context: Any
    ) -> AsyncIterator[WatchRevocationsResponse]:
        seen = request.after
        while True:
            news = self._revocations[seen:]
            seen = len(self._revocations)
            yield WatchRevocationsResponse(revocations=news, last_id=seen)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5), self._revoked:
                    await self._revoked.wait()


class Scripted:
    """A servicer of any service: it notes what it is asked, and answers what it was told."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        async def method(request: Any, context: Any) -> Any:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, asyncio.Event):
                await answer.wait()
            return answer

        return method


class Approvals(Scripted):
    """Counts what waits, on one replica."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime

    async def WatchInbox(
        self, request: Any, context: Any
    ) -> AsyncIterator[approvals_pb.WatchInboxResponse]:
        waiting, seen = self._runtime.waiting, max(len(self._runtime.waiting) - 1, 0)
        while True:
            async with self._runtime.more_waits:
                while len(waiting) == seen:
                    await self._runtime.more_waits.wait()
            for each in waiting[seen:]:
                seen += 1
                yield each


@dataclass
class Upstream:
    """Every service behind the edge."""

    keys: Keys
    gatekeeper: Gatekeeper
    runtime: Runtime
    other: Scripted = field(default_factory=Scripted)
    replicas: list[Replica] = field(default_factory=list[Replica])
    ports: list[int] = field(default_factory=list[int])
    stops: list[AsyncExitStack] = field(default_factory=list[AsyncExitStack])
    gatekeeper_port: int = 0

    async def add_replica(self, port: int = 0) -> None:
        """Starts one more replica of agent-runtime, and of what is scripted."""
        replica, stack = Replica(self.runtime), AsyncExitStack()
        server = new_server(
            "agent-runtime",
            authenticate=self._authenticate(),
            until_revoked=self.gatekeeper.until_revoked,
        )
        add_TurnServiceServicer_to_server(replica, server)
        approvals: Any = Approvals(self.runtime)
        add_ApprovalServiceServicer_to_server(approvals, server)
        for add in (
            add_ThreadServiceServicer_to_server,
            add_AgentServiceServicer_to_server,
            add_ModelServiceServicer_to_server,
            add_PrefixServiceServicer_to_server,
            add_ProviderKeyServiceServicer_to_server,
            add_PolicyServiceServicer_to_server,
            add_AuditServiceServicer_to_server,
            add_SkillServiceServicer_to_server,
            add_ConnectorServiceServicer_to_server,
            add_EffectServiceServicer_to_server,
            add_VariableServiceServicer_to_server,
            add_EmbeddingServiceServicer_to_server,
            add_SearchServiceServicer_to_server,
        ):
            add(self.other, server)  # pyright: ignore[reportArgumentType]
        self.ports.append(listen(server, f"127.0.0.1:{port}"))
        await stack.enter_async_context(serving(server, grace_time=timedelta(0)))
        self.replicas.append(replica)
        self.stops.append(stack)

    def reset(self) -> None:
        """Forgets what tests asked and told."""
        self.other.__init__()
        self.runtime.__init__()

    async def kill(self, index: int) -> None:
        """Ends a replica at once."""
        await self.stops[index].aclose()

    async def kill_streaming(self) -> None:
        """Ends at once whichever replica streams."""
        (index,) = [i for i, replica in enumerate(self.replicas) if replica.streaming]
        await self.kill(index)

    async def restart(self) -> None:
        """Ends every replica at once, and starts them again where they were."""
        ports, self.ports, self.replicas = self.ports, [], []
        stops, self.stops = self.stops, []
        for stop in stops:
            await stop.aclose()
        for port in ports:
            await self.add_replica(port)

    def target(self) -> str:
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def _authenticate(self) -> Authenticate:
        verifier = Verifier({name: b64decode(raw) for name, raw in self.keys.trusted.items()})

        async def authenticate(credential: str) -> Caller:
            return verifier.verify(credential).caller

        return authenticate

    @asynccontextmanager
    async def gatekeeping(self) -> AsyncGenerator[None]:
        """Serves gatekeeper while inside."""
        server = new_server(
            "gatekeeper",
            authenticate=self._authenticate(),
            open_methods=frozenset({AUTHENTICATE}),
        )
        add_GatekeeperServiceServicer_to_server(self.gatekeeper, server)
        for add in (
            add_AccountServiceServicer_to_server,
            add_IdentityServiceServicer_to_server,
            add_TenancyServiceServicer_to_server,
            add_UsageServiceServicer_to_server,
        ):
            add(self.other, server)  # pyright: ignore[reportArgumentType]
        self.gatekeeper_port = listen(server, "127.0.0.1:0")
        async with serving(server, grace_time=timedelta(0)):
            yield


@asynccontextmanager
async def serve_upstream(keys: Keys, replicas: int = 1) -> AsyncGenerator[Upstream]:
    """Serves everything behind the edge while inside."""
    upstream = Upstream(keys, Gatekeeper(keys), Runtime())
    async with upstream.gatekeeping():
        for _ in range(replicas):
            await upstream.add_replica()
        yield upstream
        for stop in upstream.stops:
            await stop.aclose()


def texts(*words: str) -> Iterable[dict[str, Any]]:
    """Returns the bodies of a short log, unfinished."""
    yield {"turn_started": {"thread": "t", "agent": "a", "agent_version": "v", "trace_id": "x"}}
    for word in words:
        yield {"text_delta": {"text": word}}
