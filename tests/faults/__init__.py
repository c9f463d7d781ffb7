"""Kill, stop and restart everything, and count what is lost, repeated or doubled."""

from turnpike.rpc.children import spare_children

spare_children()  # before gRPC is imported
