"""Channels to peers: one per peer, for the process's life."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import grpc

from turnpike.rpc.identity import bearer
from turnpike.rpc.tls import Tls
from turnpike.telemetry import traceparent

MAX_MESSAGE_BYTES = 16 << 20

DEFAULT_DEADLINE = timedelta(seconds=10)

OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 64 << 10),
    # A peer that restarts is used again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    # Despite its name, how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    # A peer that is stopped, or whose machine is gone, answers no ping. The
    # probing of bandwidth sends pings too, which would be waited for a minute.
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Other channels of this process are no concern of this one.
    ("grpc.use_local_subchannel_pool", 1),
)


def open_channel(
    target: str,
    *,
    tls: Tls | None = None,
    authorization: Callable[[], str] | None = None,
    idempotent: Sequence[str] = (),
    deadline: timedelta = DEFAULT_DEADLINE,
) -> grpc.aio.Channel:
    """Returns a channel whose calls go in turn to all replicas that are healthy.

    Each call carries the current trace. One that is given no timeout and has
    one response gets `deadline`; one without `authorization` in its metadata
    gets that of `authorization()`.

    Args:
        target: `dns:///host:port`, or `ipv4:host:port,host:port`.
        tls: Whom to trust; None, or no authority in it, for plain text.
        authorization: Gives the token of calls that bring none.
        idempotent: Methods that are called again, three times at most, when a
            replica is UNAVAILABLE: `package.Service/Method`, or `package.Service`
            for all of its methods.
        deadline: See above.
    """
    credentials = tls.channel_credentials() if tls else None
    options = [*OPTIONS, ("grpc.service_config", _service_config(idempotent))]
    channel = (
        grpc.aio.secure_channel(target, credentials, options=options)
        if credentials is not None
        else grpc.aio.insecure_channel(target, options=options)
    )
    return _Channel(channel, authorization, deadline.total_seconds())


def _service_config(idempotent: Sequence[str]) -> str:
    config: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
    }
    if idempotent:
        names = [_method_name(name) for name in idempotent]
        policy = {
            "maxAttempts": 4,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": names, "retryPolicy": policy}]
    return json.dumps(config)


def _method_name(name: str) -> dict[str, str]:
    service, _, method = name.lstrip("/").partition("/")
    return {"service": service, "method": method} if method else {"service": service}


class _Channel(grpc.aio.Channel):
    """A channel that completes the metadata and the timeout of each call.

    gRPC's own client interceptors would cost a task per call.
    """

    def __init__(
        self, channel: grpc.aio.Channel, authorization: Callable[[], str] | None, deadline: float
    ) -> None:
        self._channel = channel
        self._authorization = authorization
        self._deadline = deadline

    async def __aenter__(self) -> "_Channel":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._channel.close()

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._completing(self._channel.unary_unary(*args, **kwargs), self._deadline)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._completing(self._channel.unary_stream(*args, **kwargs), None)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._completing(self._channel.stream_unary(*args, **kwargs), self._deadline)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._completing(self._channel.stream_stream(*args, **kwargs), None)

    def _completing(self, call: Callable[..., Any], deadline: float | None) -> Callable[..., Any]:
        def completed(
            *args: Any,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str | bytes]] | None = None,
            **kwargs: Any,
        ) -> Any:
            timeout = deadline if timeout is None else timeout
            return call(*args, timeout=timeout, metadata=self._completed(metadata), **kwargs)

        return completed

    def _completed(
        self, metadata: Sequence[tuple[str, str | bytes]] | None
    ) -> Sequence[tuple[str, str | bytes]]:
        given = tuple(metadata or ())
        if self._authorization is not None and not any(key == "authorization" for key, _ in given):
            given += bearer(self._authorization())
        return (*given, ("traceparent", traceparent()))
