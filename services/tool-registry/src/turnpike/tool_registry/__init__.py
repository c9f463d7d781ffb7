"""Knows tools and runs their calls at most once."""

from turnpike.rpc.children import spare_children

spare_children()  # before gRPC is imported
