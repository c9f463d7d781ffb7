"""Turns that somebody has decided about, and what has changed while they waited."""

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from tests.agent_runtime.approvals.asking import (
    ASKS,
    answered,
    decide,
    let_pass,
    paused,
    refused,
    said,
    told,
    waiting,
)
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns import books as bookkeeping
from tests.agent_runtime.turns.books import Books
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Reader, Served, World, kinds, watching
from tests.doubles.scripted_mcp import Called, Message, ScriptedServer, tool
from tests.doubles.scripted_mcp import said as result
from tests.tool_registry import serving as registries
from tests.waiting import until
from turnpike.api.agent_runtime.v1 import policy_service_pb2, thread_service_pb2
from turnpike.api.agent_runtime.v1.policy_pb2 import TenantPolicy
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus
from turnpike.api.tool_registry.v1 import connector_service_pb2

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED


@pytest.fixture
async def books(world: World) -> AsyncGenerator[Books]:
    """Gatekeeper's books."""
    async with bookkeeping.opened(world) as opened:
        yield opened


async def refuses(reader: Reader, reason: str) -> None:
    """Returns when a reader is told that its turn is not let in."""
    await reader.until(
        lambda each: any(event.admission_waiting.reason == reason for event in each.events)
    )


async def has_no_slot(tenant: Tenant, books: Books) -> bool:
    # On a loaded machine an end may be seen before gatekeeper answered that it took the slot back.
    return await books.slots(tenant) == 0


def outcome(turn: Turn) -> str:
    return ToolOutcome.Name(turn.calls[0].outcome).removeprefix("TOOL_OUTCOME_")


async def test_h12_a_budget_that_was_spent_meanwhile_is_waited_for(
    world: World, tenant: Tenant, provider: Provider, tools: Tools, books: Books
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "spent"}')
    await books.budget(tenant, 1)
    async with watching(tenant, turn.id, after=turn.seq) as reader:
        # The decision itself is never refused for want of money.
        await decide(tenant, turn.approval.id, said("approve"))
        await refuses(reader, "BUDGET_EXHAUSTED")
        assert tools.effects("spent") == 0
        await books.connection.execute("DELETE FROM budgets WHERE tenant = $1", UUID(tenant.id))
        # Half a minute later it is tried again.
        await world.superuser.execute(
            "UPDATE turns SET due_at = clock_timestamp() WHERE id = $1", UUID(turn.id)
        )
        ended, _ = await answered(tenant, provider, turn.id)

    assert ended.status == COMPLETED
    assert tools.effects("spent") == 1


async def test_h12_a_gatekeeper_that_is_away_is_waited_for(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "away"}')
    async with watching(tenant, turn.id, after=turn.seq) as reader:
        async with world.admission_held():
            await decide(tenant, turn.approval.id, said("approve"))
            await refuses(reader, "UNAVAILABLE")
        ended, _ = await answered(tenant, provider, turn.id)

    assert ended.status == COMPLETED
    assert tools.effects("away") == 1


async def test_h12_who_was_banned_meanwhile_gets_nothing_that_others_approve(
    tenant: Tenant, provider: Provider, tools: Tools, books: Books
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "banned"}')
    await tenant.made.ban(tenant.made.principal)
    await decide(tenant, turn.approval.id, said("approve"), by=tenant.somebody("admin"))
    ended = await tenant.ended(turn.id)

    assert (ended.status, ended.error.reason) == (TurnStatus.TURN_STATUS_FAILED, "BANNED")
    assert outcome(ended) == "CANCELLED"
    assert tools.effects("banned") == 0
    await until(lambda: has_no_slot(tenant, books))


async def test_99_of_many_that_go_on_at_once_no_more_run_than_there_is_room_for(
    world: World, provider: Provider, tools: Tools, here: Served, books: Books
):
    tenant = await world.tenant(here, slots=2)
    await tools.offer(tenant, **ASKS)
    turns = [await paused(tenant, provider, arguments='{"tag": "many"}') for _ in range(4)]
    for turn in turns:
        await decide(tenant, turn.approval.id, said("approve"))
    most = 0
    for _ in turns:
        ask = await provider.asked()
        most = max(most, await books.slots(tenant))
        ask.answer("done")
    ended = [await tenant.ended(turn.id) for turn in turns]

    assert most <= 2
    assert {each.status for each in ended} == {COMPLETED}
    assert tools.effects("many") == 4
    await until(lambda: has_no_slot(tenant, books))


async def test_74_what_is_deleted_while_it_waits_leaves_nothing(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "deleted"}')
    request = thread_service_pb2.DeleteThreadRequest(id=turn.thread)
    await tenant.runtime.threads.DeleteThread(request, metadata=tenant.admin)
    late = await refused(tenant, turn.approval.id, said("approve"))

    assert late.reason == "NOT_FOUND"
    assert tools.effects("deleted") == 0
    for table in ("approvals", "batches", "calls"):
        count = f"SELECT count(*) FROM {table} WHERE turn = $1"
        assert await world.superuser.fetchval(count, UUID(turn.id)) == 0


async def test_103_the_end_of_an_expiry_reaches_the_readers_of_every_replica(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "unread"}')
    async with (
        world.replica() as second,
        watching(tenant, turn.id) as one,
        watching(tenant.on(second.runtime), turn.id) as other,
    ):
        await let_pass(world, turn.id, 25)
        ends = [await one.ends(), await other.ends()]

    assert [kinds(each).count("turn_finished") for each in ends] == [1, 1]
    assert ends[0] == ends[1]
    assert ends[0][-1].turn_finished.status == TurnStatus.TURN_STATUS_EXPIRED
    assert tools.effects("unread") == 0


@pytest.mark.parametrize(
    ("policy", "ends"),
    [
        pytest.param(TenantPolicy(deny=["effects/*"]), "DENIED", id="denied"),
        pytest.param(TenantPolicy(always_ask=["effects/*"]), "OK", id="asked-again"),
    ],
)
async def test_r32_a_policy_that_is_tighter_by_now_holds(
    tenant: Tenant, provider: Provider, tools: Tools, policy: TenantPolicy, ends: str
):
    await tools.offer(tenant, **ASKS)
    tag = f"tighter-{ends}"
    turn = await paused(tenant, provider, arguments=f'{{"tag": "{tag}"}}')
    await tenant.runtime.policies.UpdatePolicy(
        policy_service_pb2.UpdatePolicyRequest(tenant=policy), metadata=tenant.admin
    )
    async with watching(tenant, turn.id, after=turn.seq) as reader:
        await decide(tenant, turn.approval.id, said("approve"))
        if ends == "OK":
            await reader.until(lambda each: "approval_required" in kinds(each.events))
            again = await waiting(tenant, turn.id)
            assert tools.effects(tag) == 0
            assert again.approval.calls[0].reason != turn.approval.calls[0].reason
            await decide(tenant, again.approval.id, said("approve"))
        ended, _ = await answered(tenant, provider, turn.id)

    assert (outcome(ended), tools.effects(tag)) == (ends, int(ends == "OK"))


@pytest.mark.parametrize("is_approved", [True, False], ids=["approved", "waiting-for-review"])
async def test_r32_a_tool_that_is_another_by_now_does_not_run_by_what_was_said_of_it_before(
    tenant: Tenant, provider: Provider, registry: registries.Registry, *, is_approved: bool
):
    ran: list[Called] = []

    async def work(called: Called) -> Message:
        ran.append(called)
        return result("worked")

    server = ScriptedServer([tool("work", "Does little.")], work)
    owner = registries.Tenant(registry, tenant.id)
    async with server.listening() as place:
        await owner.connect("desk", url=place)
        await tenant.agent(tools=["desk/*"], policy={"ask": ["desk/*"]})
        turn = await paused(tenant, provider, "desk__work")
        server.tools = [tool("work", "Does everything.")]
        await registry.connectors.RefreshConnector(
            connector_service_pb2.RefreshConnectorRequest(name="desk"),
            metadata=owner.as_principal(),
        )
        if is_approved:
            await _approve(owner)
        async with watching(tenant, turn.id, after=turn.seq) as reader:
            await decide(tenant, turn.approval.id, said("approve"))
            if is_approved:
                await reader.until(lambda each: "approval_required" in kinds(each.events))
                assert not ran
                again = await waiting(tenant, turn.id)
                await decide(tenant, again.approval.id, said("approve"))
            ended, ask = await answered(tenant, provider, turn.id)

    assert (outcome(ended), len(ran)) == (("OK", 1) if is_approved else ("ERROR", 0))
    assert told(ask)[0]


async def _approve(owner: registries.Tenant) -> None:
    """Approves the definition that waits."""
    listing = connector_service_pb2.ListReviewsRequest()
    connectors = owner.registry.connectors

    async def is_listed() -> bool:
        found = await connectors.ListReviews(listing, metadata=owner.as_principal())
        return bool(found.reviews)

    await until(is_listed)
    (review,) = (await connectors.ListReviews(listing, metadata=owner.as_principal())).reviews
    request = connector_service_pb2.ApproveToolRequest(name="desk/work", digest=review.digest)
    await connectors.ApproveTool(request, metadata=owner.as_principal())


async def test_r42_a_call_runs_with_its_requesters_credential_whoever_approved_it(
    tenant: Tenant, provider: Provider, registry: registries.Registry
):
    server = ScriptedServer([tool("work")])
    owner = registries.Tenant(registry, tenant.id)
    approver = "33333333-3333-4333-8333-333333333333"
    async with server.listening() as place:
        await owner.connect("desk", url=place)
        for principal, secret in ((tenant.made.principal, "canary-own"), (approver, "other")):
            credential = {"connector": "desk", "headers": {"authorization": f"Bearer {secret}"}}
            await registry.connectors.SetCredential(
                connector_service_pb2.SetCredentialRequest(credential=credential),  # pyright: ignore[reportArgumentType]
                metadata=owner.as_principal(principal=principal),
            )
        await tenant.agent(tools=["desk/*"], policy={"ask": ["desk/*"]})
        turn = await paused(tenant, provider, "desk__work")
        server.shown.clear()
        by = tenant.somebody("admin", approver)
        await decide(tenant, turn.approval.id, said("approve"), by=by)
        ended, _ = await answered(tenant, provider, turn.id)

    assert ended.status == COMPLETED
    # Without one it is asked what it has; the call is the requester's.
    assert server.shown - {""} == {"Bearer canary-own"}


async def test_41_nothing_secret_is_kept_with_what_waits_or_told_of_it(
    world: World, tenant: Tenant, provider: Provider, registry: registries.Registry
):
    server = ScriptedServer([tool("work")])
    async with server.listening() as place:
        headers = {"authorization": "Bearer canary-secret"}
        await registries.Tenant(registry, tenant.id).connect("desk", url=place, headers=headers)
        await tenant.agent(tools=["desk/*"], policy={"ask": ["desk/*"]})
        turn = await paused(tenant, provider, "desk__work")
        await decide(tenant, turn.approval.id, said("approve"))
        await answered(tenant, provider, turn.id)

    assert "Bearer canary-secret" in server.shown
    for table in ("approvals", "decisions", "batches", "calls", "audit_entries"):
        rows = await world.superuser.fetch(f"SELECT t::text AS row FROM {table} t")
        assert rows
        assert not [row for row in rows if "canary-secret" in row["row"]]
