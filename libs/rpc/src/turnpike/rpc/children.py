"""Children of a process that speaks gRPC."""

import os


def spare_children() -> None:
    """Has gRPC do nothing in children of this process, which run another program at once.

    Call it before gRPC is imported: it reads then whether it may. What it does in a child, to go
    on in it, crashes one in some thirty that start while calls are under way.

    Source: https://github.com/grpc/grpc/blob/master/doc/fork_support.md.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")  # noqa: TID251 # is read by gRPC
