"""A gatekeeper served as in production, and those who call it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc

from tests.channels import channel_to
from tests.conftest import Keys
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AdmitRequest,
    AdmitResponse,
    AuthenticateRequest,
    AuthenticateResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    ReleaseRequest,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    CreateBanRequest,
    CreateTenantRequest,
    CreateTenantResponse,
)
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceStub
from turnpike.database.migration import MigrationUrls
from turnpike.gatekeeper.__main__ import open_server
from turnpike.gatekeeper.settings import Settings
from turnpike.rpc.identity import Signer, bearer

FIRST_KEY = "tpk_the-first-key-of-the-tests"


def settings_for(urls: MigrationUrls, redis_url: str, keys: Keys, **others: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": urls.service,
        "system_database_url": urls.system,
        "redis_url": redis_url,
        "signing_key": keys.signing("gatekeeper"),
        "trusted_keys": keys.trusted,
        "bootstrap_key": FIRST_KEY,
        **others,
    }
    return Settings(**values)


@dataclass(frozen=True)
class Gatekeeper:
    """A replica, as its callers see it."""

    channel: grpc.aio.Channel
    keys: Keys
    tenancy: TenancyServiceStub = field(init=False)
    stub: GatekeeperServiceStub = field(init=False)

    signers: dict[str, Signer] = field(default_factory=dict[str, Signer])
    snapshots: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenancy", TenancyServiceStub(self.channel))
        object.__setattr__(self, "stub", GatekeeperServiceStub(self.channel))

    def as_service(self, name: str) -> tuple[tuple[str, str], ...]:
        if name not in self.signers:
            self.signers[name] = Signer(name, self.keys.seeds[name])
        return self.signers[name].metadata_for()

    @property
    def as_runtime(self) -> tuple[tuple[str, str], ...]:
        return self.as_service("agent-runtime")

    async def authenticate(self, secret: str) -> AuthenticateResponse:
        return await self.stub.Authenticate(AuthenticateRequest(credential=secret))

    async def create_tenant(self, slots: int = 64) -> "Tenant":
        request = CreateTenantRequest(name=f"tenant-{uuid4()}", slots=slots)
        return Tenant(self, await self.tenancy.CreateTenant(request, metadata=bearer(FIRST_KEY)))

    async def beat(self, turn: AdmitRequest, receipt: bytes = b"") -> HeartbeatResponse:
        """Heartbeats for one turn, with its receipt."""
        slot = HeartbeatRequest.Slot(
            turn=turn.turn, tenant=turn.tenant, principal=turn.principal, receipt=receipt
        )
        request = HeartbeatRequest(replica=str(uuid4()), slots=[slot])
        return await self.stub.Heartbeat(request, metadata=self.as_runtime)

    async def renew(self, *turns: AdmitRequest) -> dict[str, str]:
        """Heartbeats; returns the turns that must stop, with their reasons."""
        names = ("turn", "tenant", "principal", "key", "agent_owner")
        slots = [
            HeartbeatRequest.Slot(**{name: getattr(turn, name) for name in names}) for turn in turns
        ]
        request = HeartbeatRequest(replica=str(uuid4()), slots=slots)
        response = await self.stub.Heartbeat(request, metadata=self.as_runtime)
        return {revoked.turn: revoked.reason for revoked in response.revoked}


@dataclass(frozen=True)
class Tenant:
    """A tenant with its admin, and the runtime that acts for it."""

    gatekeeper: Gatekeeper
    made: CreateTenantResponse

    @property
    def id(self) -> str:
        return self.made.tenant.id

    @property
    def principal(self) -> str:
        return self.made.api_key.principal.id

    @property
    def as_admin(self) -> tuple[tuple[str, str], ...]:
        return bearer(self.made.secret)

    @property
    def slots_key(self) -> str:
        return f"gatekeeper:{{{self.id}}}:slots"

    def turn(self, **others: Any) -> AdmitRequest:
        """A turn of the tenant's admin, at its first try."""
        values: dict[str, Any] = {
            "turn": str(uuid4()),
            "tenant": self.id,
            "principal": self.principal,
            "key": self.made.api_key.id,
            "attempt": 1,
            "segment": 1,
            **others,
        }
        return AdmitRequest(**values)

    async def admit(self, turn: AdmitRequest | None = None) -> AdmitResponse:
        """Admits a turn; later segments bring the snapshot of the first."""
        gatekeeper, turn = self.gatekeeper, turn or self.turn()
        if turn.segment > 1 and not turn.snapshot:
            turn.snapshot = gatekeeper.snapshots[turn.turn]
        response = await gatekeeper.stub.Admit(turn, metadata=gatekeeper.as_runtime)
        gatekeeper.snapshots[turn.turn] = response.snapshot
        return response

    async def release(self, turn: AdmitRequest) -> None:
        request = ReleaseRequest(turn=turn.turn, tenant=turn.tenant)
        await self.gatekeeper.stub.Release(request, metadata=self.gatekeeper.as_runtime)

    async def create_key(
        self, role: "Role" = Role.ROLE_MEMBER, lives: timedelta | None = None
    ) -> CreateApiKeyResponse:
        request = CreateApiKeyRequest(name="a key", role=role)
        if lives:
            request.expire_time.GetCurrentTime()
            request.expire_time.FromDatetime(request.expire_time.ToDatetime() + lives)
        return await self.gatekeeper.tenancy.CreateApiKey(request, metadata=self.as_admin)

    async def ban(self, principal: str) -> None:
        request = CreateBanRequest(principal=principal, note="spam")
        await self.gatekeeper.tenancy.CreateBan(request, metadata=self.as_admin)


@asynccontextmanager
async def serving(settings: Settings, keys: Keys) -> AsyncGenerator[Gatekeeper]:
    """Serves a replica on a port of its own."""
    async with open_server(settings) as server:
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with channel_to(f"127.0.0.1:{port}") as channel:
            yield Gatekeeper(channel, keys)
        await server.stop(None)
