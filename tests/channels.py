"""Channels to what a test serves."""

from collections.abc import Sequence
from typing import Any

import grpc


def channel_to(target: str, *options: tuple[str, Any]) -> grpc.aio.Channel:
    """Returns a channel with connections of its own.

    Channels of one process share their connections unless told otherwise: one to
    a replica that was started where another was killed would be given the dead
    one's, until its end is noticed.

    Args:
        target: `host:port`, or whatever gRPC resolves.
        options: Further options of gRPC.
    """
    own: Sequence[tuple[str, Any]] = (("grpc.use_local_subchannel_pool", 1), *options)
    return grpc.aio.insecure_channel(target, options=own)
