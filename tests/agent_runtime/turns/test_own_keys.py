"""Turns by keys of one's own at providers: which one is asked with, and which one never."""

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from tests.agent_runtime.models.configuring import PLATFORM, create, delete, model
from tests.agent_runtime.models.keeping import PERSON, delete_key, key, pb, put_key, set_mode
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.books import Books, opened
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.world import Served, World, begin, cancel, kinds
from tests.waiting import until
from turnpike.api.agent_runtime.v1.model_service_pb2 import Prices
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
FAILED = TurnStatus.TURN_STATUS_FAILED

OFF, PREFERRED, REQUIRED = pb.KEY_MODE_OFF, pb.KEY_MODE_PREFERRED, pb.KEY_MODE_REQUIRED
PRICES = Prices(input=1_000_000, output=2_000_000)
NO_TOOL = "no__tool"


@pytest.fixture(scope="module")
async def operated(world: World) -> Tenant:
    """The tenant that operates the platform; it has no replica yet."""
    return Tenant(None, await world.gatekeeper.create_tenant())  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
async def here(world: World, operated: Tenant) -> AsyncGenerator[Served]:
    """A replica of a platform that offers a model with prices and a key."""
    async with world.replica(
        platform_tenant=UUID(operated.id), slot_patience=0.3, turn_timeout=20
    ) as served:
        operator = operated.on(served.runtime)
        offered = model(
            "offered",
            model="m",
            base_url=world.provider.url,
            api_key="platform's",
            prices=PRICES,
            scope=PLATFORM,
        )
        await create(operator, offered)
        yield served
        await delete(operator, "offered", scope=PLATFORM)


@pytest.fixture
async def tenant(world: World, here: Served) -> Tenant:
    """A tenant whose agent is on the platform's model."""
    tenant = await world.tenant(here)
    await tenant.agent(model="offered")
    return tenant


@pytest.fixture
async def books(world: World) -> AsyncGenerator[Books]:
    """Gatekeeper's books."""
    async with opened(world) as books:
        yield books


async def owns(tenant: Tenant, provider: Provider, *secrets: str) -> None:
    """Gives a tenant keys for the platform's endpoint."""
    for secret in secrets:
        name = secret.removesuffix("'s")
        await put_key(tenant, key(name, secret, base_url=provider.url))


async def says(tenant: Tenant, turn: Turn) -> tuple[int, str]:
    """Returns how a turn ended, and why."""
    found = await tenant.ended(turn.id)
    return found.status, found.error.reason


def since(provider: Provider, before: int) -> set[str]:
    """Returns the keys that a provider was shown since a moment."""
    return {ask.key for ask in provider.asks[before:]}


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 529])
async def test_what_is_preferred_falls_back_to_the_platform_s(
    world: World, tenant: Tenant, provider: Provider, status: int
):
    await owns(tenant, provider, "own")
    turn, ask = await begin(tenant, provider)
    assert ask.key == "own"
    ask.refuse(status)
    again = await provider.asked()
    again.answer("hello")

    assert again.key == "platform's"
    assert await says(tenant, turn) == (COMPLETED, "")
    assert "model_retrying" in kinds(await world.log(turn.id))


@pytest.mark.parametrize("status", [429, 500])
async def test_who_failed_is_not_asked_again_before_another_though_it_has_rested(
    tenant: Tenant, provider: Provider, status: int
):
    # As when a machine stands still for longer than a key rests.
    await owns(tenant, provider, "own")
    turn, ask = await begin(tenant, provider)
    ask.refuse(status, {"retry-after": "0"})
    again = await provider.asked()
    again.answer("hello")

    assert (ask.key, again.key) == ("own", "platform's")
    assert await says(tenant, turn) == (COMPLETED, "")


async def test_what_is_off_is_not_used(tenant: Tenant, provider: Provider):
    await owns(tenant, provider, "own")
    await set_mode(tenant, OFF)
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")

    assert ask.key == "platform's"
    await tenant.ended(turn.id)


@pytest.mark.parametrize("status", [400, 401, 402, 403])
async def test_g13_what_is_required_never_falls_back_from_what_fails_for_good(
    tenant: Tenant, provider: Provider, status: int
):
    await owns(tenant, provider, "own")
    await set_mode(tenant, REQUIRED)
    before = len(provider.asks)
    turn, ask = await begin(tenant, provider)
    ask.refuse(status)

    assert (await says(tenant, turn))[0] == FAILED
    assert since(provider, before) == {"own"}


@pytest.mark.parametrize("fault", ["429", "500", "503", "529", "cut", "garbage"])
async def test_g13_what_is_required_never_falls_back_from_what_may_pass(
    tenant: Tenant, provider: Provider, fault: str
):
    await owns(tenant, provider, "own")
    await set_mode(tenant, REQUIRED)
    before = len(provider.asks)
    turn, ask = await begin(tenant, provider)
    for _ in range(2):
        fails(ask, fault)
        ask = await provider.asked()
    ask.answer("hello")

    assert (await says(tenant, turn))[0] == COMPLETED
    assert since(provider, before) == {"own"}


def fails(ask: Ask, fault: str) -> None:
    """Lets a call fail in a way that may pass."""
    if fault.isdigit():
        ask.refuse(int(fault), {"retry-after": "0.1"})
        return
    ask.say("half")
    if fault == "cut":
        ask.cut()
    else:
        ask.garbage()


@pytest.mark.parametrize("lacks", ["all", "one that opens"])
async def test_g13_what_is_required_and_is_not_there_ends_the_turn_and_asks_nobody(
    world: World, tenant: Tenant, provider: Provider, lacks: str
):
    if lacks != "all":
        await owns(tenant, provider, "own")
        await world.superuser.execute(
            "UPDATE provider_keys SET sealed_api_key = 'v1.gone.AAAA' WHERE tenant = $1",
            UUID(tenant.id),
        )
    await set_mode(tenant, REQUIRED)
    before = len(provider.asks)

    ended = await says(tenant, await tenant.start())

    assert ended == (FAILED, "OWN_KEY_REQUIRED" if lacks == "all" else "MODEL_UNUSABLE")
    assert len(provider.asks) == before


async def test_a_key_that_goes_while_a_turn_waits_is_used_no_more(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    await owns(tenant, provider, "own")
    await set_mode(tenant, REQUIRED)
    before = len(provider.asks)
    turn, ask = await begin(tenant, provider)
    ask.refuse(429, {"retry-after": "10"})

    async def is_waiting() -> bool:
        return (await world.row(turn.id))["status"] == "WAITING"

    await until(is_waiting)
    await delete_key(tenant, "own")
    await world.rested(here)

    assert await says(tenant, turn) == (FAILED, "OWN_KEY_REQUIRED")
    assert since(provider, before) == {"own"}


async def test_g13_keys_are_read_at_each_call(tenant: Tenant, provider: Provider):
    await owns(tenant, provider, "own")
    turn, ask = await begin(tenant, provider)
    shown = [ask.key]
    for secret, mode in (("sk-rotated", PREFERRED), ("sk-unused", OFF), ("sk-last", REQUIRED)):
        await put_key(tenant, key("own", secret, base_url=provider.url))
        await set_mode(tenant, mode)
        ask.ask_for(NO_TOOL)
        ask = await provider.asked()
        shown.append(ask.key)
    ask.answer("hello")

    assert shown == ["own", "sk-rotated", "platform's", "sk-last"]
    assert (await says(tenant, turn))[0] == COMPLETED


async def test_several_keys_take_turns_and_a_thread_stays_with_its_own(
    tenant: Tenant, provider: Provider
):
    await owns(tenant, provider, "one", "two", "three")
    first: list[str] = []
    for _ in range(3):
        turn, ask = await begin(tenant, provider)
        first.append(ask.key)
        ask.answer("hello")
        await tenant.ended(turn.id)
        again, ask = await begin(tenant, provider, thread=turn.thread)
        assert ask.key == first[-1]
        ask.answer("hello")
        await tenant.ended(again.id)

    assert set(first) == {"one", "two", "three"}


async def test_when_one_key_fails_the_next_goes_on_and_the_thread_follows(
    tenant: Tenant, provider: Provider
):
    await owns(tenant, provider, "one", "two", "three")
    await set_mode(tenant, REQUIRED)
    turn, ask = await begin(tenant, provider)
    shown = [ask.key]
    ask.refuse(429, {"retry-after": "7"})
    ask = await provider.asked()
    shown.append(ask.key)
    ask.refuse(401)
    ask = await provider.asked()
    shown.append(ask.key)
    ask.answer("hello")
    await tenant.ended(turn.id)
    again, ask = await begin(tenant, provider, thread=turn.thread)
    ask.answer("hello")
    await tenant.ended(again.id)

    assert set(shown) == {"one", "two", "three"}
    assert ask.key == shown[-1]


async def test_a_person_s_key_is_for_that_person_s_turns_alone(tenant: Tenant, provider: Provider):
    ann, bob = tenant.somebody(), tenant.somebody()
    await owns(tenant, provider, "tenant's")
    await put_key(tenant, key("hers", "ann's", base_url=provider.url, scope=PERSON), ann)
    shown: list[str] = []
    for who in (ann, bob):
        turn = await tenant.start(metadata=who)
        ask = await provider.asked()
        shown.append(ask.key)
        ask.answer("hello")
        await tenant.ended(turn.id)
    await set_mode(tenant, REQUIRED, bob, PERSON)
    refused = await says(tenant, await tenant.start(metadata=bob))

    assert shown == ["ann's", "tenant's"]
    assert refused == (FAILED, "OWN_KEY_REQUIRED")


async def test_a_key_goes_to_its_own_endpoint_alone(tenant: Tenant, provider: Provider):
    await put_key(tenant, key("own", "own", base_url="https://elsewhere.example/v1"))
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")
    await tenant.ended(turn.id)
    mine = tenant.somebody()
    await put_key(tenant, key("own", "own", base_url=provider.url))
    wanted = model("offered", model="m", base_url=provider.url, scope="SCOPE_PERSON")
    await create(tenant, wanted, mine)
    turn = await tenant.start(metadata=mine)
    theirs = await provider.asked()
    theirs.answer("hello")
    await tenant.ended(turn.id)

    assert ask.key == "platform's"
    # What a person configures is not lent the tenant's.
    assert theirs.key == ""


async def test_a_sealed_key_opens_for_its_tenant_alone(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    thief = await world.tenant(here)
    await thief.agent(model="offered")
    await owns(tenant, provider, "own")
    await owns(thief, provider, "nothing")
    await set_mode(thief, REQUIRED)
    await world.superuser.execute(
        "UPDATE provider_keys SET sealed_api_key ="
        " (SELECT sealed_api_key FROM provider_keys WHERE tenant = $1) WHERE tenant = $2",
        UUID(tenant.id),
        UUID(thief.id),
    )
    before = len(provider.asks)

    assert await says(thief, await thief.start()) == (FAILED, "MODEL_UNUSABLE")
    assert len(provider.asks) == before


async def test_one_tenant_s_limits_let_nobody_else_rest(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    other = await world.tenant(here)
    await other.agent(model="offered")
    for each in (tenant, other):
        await owns(each, provider, "same")
        await set_mode(each, REQUIRED)
    turn, ask = await begin(tenant, provider)
    ask.refuse(429, {"retry-after": "15"})
    theirs, ask = await begin(other, provider)
    ask.answer("hello")

    assert (await says(other, theirs))[0] == COMPLETED
    await cancel(tenant, turn.id)


async def test_what_a_key_of_one_s_own_pays_costs_nothing_and_what_the_platform_s_does(
    tenant: Tenant, provider: Provider, books: Books
):
    await books.budget(tenant, 1_000_000)
    await owns(tenant, provider, "own")
    await set_mode(tenant, REQUIRED)
    turn, ask = await begin(tenant, provider)
    ask.call(NO_TOOL)
    ask.end(tokens=(100, 10), reason="tool_calls")
    ask = await provider.asked()
    ask.say("half")
    ask.cut()
    again = await provider.asked()
    again.end(tokens=(100, 10))
    await tenant.ended(turn.id)

    async def is_settled() -> bool:
        return not await books.owed(turn.id)

    await until(is_settled)
    rows = [
        (row["step"], row["own_key"], row["cost_micro_usd"]) for row in await books.rows(turn.id)
    ]
    assert (ask.key, again.key) == ("own", "own")
    assert rows == [(1, True, 0), (2, True, 0), (2, True, 0)]
    assert await books.entries(turn.id) == await books.told(turn.id)

    await set_mode(tenant, OFF)
    turn, ask = await begin(tenant, provider)
    ask.end(tokens=(100, 10))
    await tenant.ended(turn.id)
    await until(is_settled)
    rows = [(row["own_key"], row["cost_micro_usd"]) for row in await books.rows(turn.id)]
    assert rows == [(False, 120)]


async def test_a_fall_back_is_charged_at_the_platform_s_prices(
    tenant: Tenant, provider: Provider, books: Books
):
    await books.budget(tenant, 1_000_000)
    await owns(tenant, provider, "own")
    turn, ask = await begin(tenant, provider)
    ask.call(NO_TOOL)
    ask.end(tokens=(100, 10), reason="tool_calls")
    ask = await provider.asked()
    ask.refuse(401)
    ask = await provider.asked()
    ask.end(tokens=(100, 10))
    await tenant.ended(turn.id)

    async def is_settled() -> bool:
        return not await books.owed(turn.id)

    await until(is_settled)
    rows = [
        (row["step"], row["own_key"], row["cost_micro_usd"]) for row in await books.rows(turn.id)
    ]
    assert rows == [(1, True, 0), (2, False, 120)]
    assert await books.entries(turn.id) == await books.told(turn.id)
