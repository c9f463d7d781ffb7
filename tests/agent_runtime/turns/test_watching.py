"""Who reads turns, as the metrics count it."""

from uuid import uuid4

import pytest
from grpc import StatusCode

from tests.agent_runtime.serving import Tenant
from tests.waiting import refusal
from turnpike.agent_runtime.events.counting import SUBSCRIPTIONS
from turnpike.api.agent_runtime.v1.turn_service_pb2 import WatchTurnRequest


def counted(kind: str) -> float:
    return SUBSCRIPTIONS.labels(kind=kind)._value.get()  # pyright: ignore[reportPrivateUsage]


async def watch(tenant: Tenant, turn: str, after: int = 0) -> None:
    request = WatchTurnRequest(turn=turn, after=after)
    call = tenant.runtime.turns.WatchTurn(request, metadata=tenant.admin, timeout=30)
    async for _ in call:
        pass


@pytest.mark.parametrize(("after", "kind"), [(0, "initial"), (1, "resumed")])
async def test_readers_are_counted_by_where_they_begin(tenant: Tenant, after: int, kind: str):
    await tenant.model()
    await tenant.agent()
    turn = (await tenant.ended((await tenant.start()).id)).id
    before = counted(kind)

    await watch(tenant, turn, after)

    assert counted(kind) == before + 1


async def test_readers_of_what_is_not_there_are_counted(tenant: Tenant):
    before = counted("not_found")

    refused = await refusal(watch(tenant, str(uuid4())))

    assert refused.code is StatusCode.NOT_FOUND
    assert counted("not_found") == before + 1
