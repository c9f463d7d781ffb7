"""Turns text into chunks and vectors."""

from turnpike.rpc.children import spare_children

spare_children()  # before gRPC is imported
