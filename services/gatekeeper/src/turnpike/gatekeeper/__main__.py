"""Gatekeeper's composition root: the only module that knows every other."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.api.gatekeeper.v1 import (
    account_service_pb2,
    gatekeeper_service_pb2,
    identity_service_pb2,
    tenancy_service_pb2,
    usage_service_pb2,
)
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import (
    add_AccountServiceServicer_to_server,
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
from turnpike.database.cache import open_redis
from turnpike.database.engine import open_engine, open_pool
from turnpike.gatekeeper import metrics
from turnpike.gatekeeper.accounts.budgets import Budgets
from turnpike.gatekeeper.accounts.overrides import LimitsOfTenants
from turnpike.gatekeeper.accounts.plans import Plans
from turnpike.gatekeeper.accounts.refusals import Refusals
from turnpike.gatekeeper.accounts.servicer import Accounts, AccountServicer
from turnpike.gatekeeper.accounts.subscriptions import Subscriptions
from turnpike.gatekeeper.admission import Admission
from turnpike.gatekeeper.authentication import Authentication, own_revocations
from turnpike.gatekeeper.authority import Authority
from turnpike.gatekeeper.directory import Directory
from turnpike.gatekeeper.documents import open_documents
from turnpike.gatekeeper.explanation import Explanation
from turnpike.gatekeeper.holds import Holds
from turnpike.gatekeeper.identity_servicer import IdentityServicer
from turnpike.gatekeeper.journal import Journal
from turnpike.gatekeeper.keeping import Keeping
from turnpike.gatekeeper.key_sets import KeySets
from turnpike.gatekeeper.keyring import Keyring
from turnpike.gatekeeper.ledger import Ledger
from turnpike.gatekeeper.platform_bans import PlatformBans
from turnpike.gatekeeper.revocations import Revocations
from turnpike.gatekeeper.servicer import GatekeeperServicer
from turnpike.gatekeeper.settings import Settings
from turnpike.gatekeeper.shares import LocalShares
from turnpike.gatekeeper.slots import Slots
from turnpike.gatekeeper.snapshots import Seals
from turnpike.gatekeeper.standing import Standings
from turnpike.gatekeeper.system import System
from turnpike.gatekeeper.tenancy import Tenancy
from turnpike.gatekeeper.tenancy_servicer import TenancyServicer
from turnpike.gatekeeper.terms import Price
from turnpike.gatekeeper.usage.reports import Reports
from turnpike.gatekeeper.usage.servicer import UsageServicer
from turnpike.rpc.credentials import Credentials
from turnpike.rpc.errors import UnavailableError
from turnpike.rpc.gatekeeper import AUTHENTICATE
from turnpike.rpc.identity import GATEKEEPER, Signer
from turnpike.rpc.process import StartError, metrics_served, start
from turnpike.rpc.server import listen, new_server, serve_until_signalled
from turnpike.rpc.verifier import Verifier

FIRST_TENANT = "first"

SERVICES = (
    account_service_pb2.DESCRIPTOR.services_by_name["AccountService"].full_name,
    gatekeeper_service_pb2.DESCRIPTOR.services_by_name["GatekeeperService"].full_name,
    identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"].full_name,
    tenancy_service_pb2.DESCRIPTOR.services_by_name["TenancyService"].full_name,
    usage_service_pb2.DESCRIPTOR.services_by_name["UsageService"].full_name,
)


async def serve(settings: Settings) -> None:
    """Serves gatekeeper until told to stop, then closes what it opened."""
    async with open_server(settings) as server, metrics_served(settings.metrics_address):
        listen(server, settings.listen_address, settings.tls)
        await serve_until_signalled(
            server,
            drain_time=settings.drain_time,
            grace_time=settings.grace_time,
            services=SERVICES,
        )


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncGenerator[grpc.aio.Server]:
    """Opens a server with everything that it serves, but not its ports.

    Raises:
        StartError: Postgres does not answer, or is not migrated.
    """
    async with (
        _open_pool(settings.database_url.get_secret_value()) as pool,
        _open_pool(settings.system_database_url.get_secret_value()) as system_pool,
        # Settlements cannot take the connections that admissions need.
        _open_pool(settings.database_url.get_secret_value()) as ledger_pool,
        open_engine(settings.database_url.get_secret_value(), pool_size=5) as engine,
        open_engine(settings.system_database_url.get_secret_value(), pool_size=2) as system_engine,
        open_redis(
            settings.redis_url.get_secret_value(), connections=32, timeout=timedelta(seconds=1)
        ) as redis,
        open_documents(allow_private=settings.egress_allow_private) as fetch,
    ):
        system, slots, holds = System(system_pool), Slots(redis), Holds(redis)
        metrics.SLOTS_TAKEN.set_function(slots.taken)
        await _bootstrap(system, settings)
        journal, revocations = Journal(system), Revocations(system)
        keys = KeySets(fetch)
        signer = Signer(GATEKEEPER, settings.signing_key)
        authentication = Authentication(Keyring(system_pool), keys, signer, journal)
        credentials = Credentials(Verifier(settings.trusted_keys), authentication.exchange)
        default = Price(input=settings.default_input_price, output=settings.default_output_price)
        standings = Standings(pool, default=default, billing=settings.billing)
        shares = LocalShares(settings.replicas)
        admission = Admission(standings, holds, slots, shares, journal)
        keeping = Keeping(system, Ledger(ledger_pool), slots, holds, shares)

        server = new_server(
            GATEKEEPER,
            authenticate=credentials.caller,
            until_revoked=credentials.until_revoked,
            open_methods=frozenset({AUTHENTICATE}),
        )
        directory = Directory(engine, allow_private=settings.egress_allow_private)
        servicer = GatekeeperServicer(
            authentication,
            revocations,
            admission,
            keeping,
            Explanation(standings, holds),
            directory,
            Seals(settings.signing_key),
        )
        add_GatekeeperServiceServicer_to_server(servicer, server)
        tenancy = Tenancy(engine, system, PlatformBans(system_pool))
        add_TenancyServiceServicer_to_server(TenancyServicer(tenancy), server)
        add_IdentityServiceServicer_to_server(IdentityServicer(directory), server)
        _add_accounts(server, engine, system_engine)
        tasks = (
            journal.run(),
            revocations.run(),
            credentials.watch_revocations(own_revocations(revocations)),
        )
        async with _running(*tasks):
            yield server


def _add_accounts(server: grpc.aio.Server, engine: AsyncEngine, system_engine: AsyncEngine) -> None:
    """Lets a server tell what may be used, and what was."""
    authority = Authority(engine)
    accounts = Accounts(
        plans=Plans(engine, system_engine, authority),
        subscriptions=Subscriptions(engine, system_engine, authority),
        limits=LimitsOfTenants(engine, authority),
        budgets=Budgets(engine),
        refusals=Refusals(engine),
    )
    add_AccountServiceServicer_to_server(AccountServicer(accounts), server)
    reports = Reports(engine, system_engine, authority)
    add_UsageServiceServicer_to_server(UsageServicer(reports), server)


async def _bootstrap(system: System, settings: Settings) -> None:
    if settings.bootstrap_key is None:
        return
    try:
        await system.bootstrap(
            FIRST_TENANT, settings.bootstrap_slots, settings.bootstrap_key.get_secret_value()
        )
    except UnavailableError as error:
        raise StartError(str(error)) from error
    except asyncpg.UndefinedTableError as error:
        raise StartError("migrate first: python -m turnpike.gatekeeper.migrate") from error


@asynccontextmanager
async def _open_pool(url: str) -> AsyncGenerator[asyncpg.Pool]:
    try:
        pool = await open_pool(url, min_size=2, max_size=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error
    try:
        yield pool
    finally:
        async with asyncio.timeout(5):
            await pool.close()


@asynccontextmanager
async def _running(*coroutines: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Runs tasks beside the block; the failure of one ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def main() -> None:
    """Runs gatekeeper from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
