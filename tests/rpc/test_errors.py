"""Failures, as the caller of a service relies on them."""

import logging
from datetime import timedelta
from typing import Any

import grpc
import pytest

from tests.rpc.peer import Peer, release, served
from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import (
    InvalidArgumentError,
    QuotaViolation,
    RemoteError,
    ServiceError,
    UnavailableError,
    from_rpc_error,
    trailing_metadata,
)


class FullError(ServiceError):
    """Every place is taken."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    domain = "car-park.turnpike"
    reason = "FULL"


class DriverError(Exception):
    """What a library raises."""


async def failure(error: BaseException, **server_options: Any) -> RemoteError:
    async def fail(_context: Any) -> None:
        raise error

    async with (
        served(Peer(fail), **server_options) as port,
        open_channel(f"ipv4:127.0.0.1:{port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await release(channel)
    return from_rpc_error(caught.value)


async def test_a_refusal_says_why_and_when_to_retry():
    error = await failure(FullError("no", retry_after=timedelta(seconds=1.5), places="7"))

    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (error.domain, error.reason, error.message) == ("car-park.turnpike", "FULL", "no")
    assert error.metadata == {"places": "7"}
    assert error.retry_after == timedelta(seconds=1.5)


async def test_quotas_arrive_as_they_were_told():
    quota = [QuotaViolation("tenant", "spent", "micro_usd", "day", 500)]

    assert (await failure(FullError("no", quota=quota))).quota == quota


@pytest.mark.parametrize(("reason", "pushback"), [("FULL", "1500"), ("BUDGET_EXHAUSTED", "-1")])
def test_only_what_passes_by_itself_is_tried_again_by_itself(reason: str, pushback: str):
    """Who waits for a budget waits for weeks, and nobody's channel should."""
    kind = type("RefusedError", (FullError,), {"reason": reason})

    trailing = trailing_metadata(kind("no", retry_after=timedelta(seconds=1.5)))

    assert dict(trailing)["grpc-retry-pushback-ms"] == pushback


async def test_wrong_fields_are_named():
    error = await failure(InvalidArgumentError("a.b[1]", "is odd", ("c", "is even")))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "INVALID_ARGUMENT"
    assert error.fields == [("a.b[1]", "is odd"), ("c", "is even")]


async def test_an_error_without_a_domain_has_its_server_s():
    error = await failure(UnavailableError("later"))

    assert error.domain == "gatekeeper.turnpike"
    assert error.retry_after == timedelta(seconds=1)


async def test_a_status_too_long_for_a_header_arrives_shortened():
    many = [(f"field_{number}", "is wrong") for number in range(2000)]

    error = await failure(InvalidArgumentError(*many[0], *many[1:]))

    assert error.reason == "INVALID_ARGUMENT"
    assert error.fields == many[:50]


async def test_an_unforeseen_error_tells_the_caller_nothing(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        error = await failure(ValueError("secret dsn"))

    assert error.code is grpc.StatusCode.INTERNAL
    assert (error.message, error.reason) == ("internal error", "")
    assert "ValueError: secret dsn" in caplog.text


async def test_a_library_s_error_has_the_meaning_the_service_gives_it():
    def translate(error: Exception) -> ServiceError | None:
        return UnavailableError("no database") if isinstance(error, DriverError) else None

    assert (await failure(DriverError(), translate=translate)).reason == "UNAVAILABLE"
    assert (await failure(ValueError(), translate=translate)).code is grpc.StatusCode.INTERNAL


async def test_a_peer_that_is_away_makes_its_caller_unavailable():
    gone = RemoteError(grpc.StatusCode.UNAVAILABLE, "", "connect to 10.1.2.3 failed")

    error = await failure(gone)

    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert "10.1.2.3" not in error.message


async def test_a_peer_s_refusal_that_nobody_foresaw_is_a_fault_of_ours():
    error = await failure(RemoteError(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", "no such thing"))

    assert error.code is grpc.StatusCode.INTERNAL
